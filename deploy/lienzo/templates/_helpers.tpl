{{/* The name that everything of a release begins with. */}}
{{- define "lienzo.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What every object is labeled with. */}}
{{- define "lienzo.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | trunc 63 | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: {{ .Chart.Name }}
{{ include "lienzo.instance" . }}
{{- end -}}

{{/* What every pod of a release has; it must never change, as selectors cannot. */}}
{{- define "lienzo.instance" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* What selects the pods of one component: a dict of root and component. */}}
{{- define "lienzo.selector" -}}
{{ include "lienzo.instance" .root }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "lienzo.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{- printf "%s@%s" .repository .digest -}}
{{- else -}}
{{- printf "%s:%s" .repository (.tag | default $.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "lienzo.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "lienzo.fullname" .) -}}
{{- end -}}

{{/* The host of publicBaseUrl, without its port. */}}
{{- define "lienzo.host" -}}
{{- $url := required "publicBaseUrl: set how clients reach the platform, such as https://images.example.com" .Values.publicBaseUrl -}}
{{- regexReplaceAll ":[0-9]+$" (urlParse $url).host "" -}}
{{- end -}}

{{/* The settings of every process that are no secrets, as a map. */}}
{{- define "lienzo.settings" -}}
{{- $settings := dict
    "PUBLIC_BASE_URL" (trimSuffix "/" .Values.publicBaseUrl)
    "ALLOWED_HOSTS" (.Values.allowedHosts | default (list (include "lienzo.host" .)) | join ",")
    "HOST" "0.0.0.0"
    "PORT" "8000"
    "METRICS_HOST" "0.0.0.0"
    "METRICS_PORT" (.Values.metrics.port | toString) -}}
{{- if .Values.sandbox.enabled -}}
{{- $_ := set $settings "SANDBOX_BASE_URL" (printf "http://%s-sandbox:8009" (include "lienzo.fullname" .)) -}}
{{- $_ := set $settings "LIENZO_SANDBOX" (ternary "auto" "off" .Values.sandbox.drawsForDemos) -}}
{{- end -}}
{{- merge $settings .Values.settings | toYaml -}}
{{- end -}}
