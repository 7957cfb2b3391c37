{{/* Environment from the ConfigMap's settings or from existing Secrets, as parts of a container. */}}
{{- define "lienzo.secretEnv" -}}
{{- range $secret := .Values.secrets -}}
{{- range $setting, $key := .keys }}
{{- if eq ($secret.as | default "env") "files" }}
- name: {{ $setting }}_FILE
  value: /etc/lienzo/secrets/{{ $secret.name }}/{{ $setting }}
{{- else }}
- name: {{ $setting }}
  valueFrom:
    secretKeyRef: {name: {{ $secret.name }}, key: {{ $key | quote }}}
{{- end }}
{{- end }}
{{- end -}}
{{- end -}}

{{- define "lienzo.secretEnvFrom" -}}
{{- range .Values.secrets }}
{{- if and (eq (.as | default "env") "env") (not .keys) }}
- secretRef: {name: {{ .name }}}
{{- end }}
{{- end }}
{{- end -}}

{{- define "lienzo.mounts" -}}
- {name: tmp, mountPath: /tmp}
{{- range .Values.secrets }}
{{- if eq (.as | default "env") "files" }}
- {name: {{ printf "secret-%s" .name | trunc 63 | trimSuffix "-" }}, mountPath: /etc/lienzo/secrets/{{ .name }}, readOnly: true}
{{- end }}
{{- end }}
{{- end -}}

{{/* /tmp takes uploads and exports while they pass; nothing in it is kept. */}}
{{- define "lienzo.volumes" -}}
- name: tmp
  emptyDir: {sizeLimit: 4Gi}
{{- range .Values.secrets }}
{{- if eq (.as | default "env") "files" }}
- name: {{ printf "secret-%s" .name | trunc 63 | trimSuffix "-" }}
  secret:
    secretName: {{ .name }}
    defaultMode: 0440
    items:
    {{- range $setting, $key := .keys }}
    - {key: {{ $key | quote }}, path: {{ $setting }}}
    {{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "lienzo.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "lienzo.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* Where pods run, and what they may do: the end of every pod's spec. */}}
{{- define "lienzo.placement" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  {{- include "lienzo.podSecurity" . | nindent 2 }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/*
The Deployment of one process: a dict of root, component, process, command, resources and grace;
and, where they differ, replicas (none: something else decides), recreate, env, ports, readiness,
liveness, preStopSeconds, priority and bare (no settings).
*/}}
{{- define "lienzo.deployment" -}}
{{- $root := .root -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "lienzo.fullname" $root }}-{{ .component }}
  labels:
    {{- include "lienzo.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
spec:
  {{- if hasKey . "replicas" }}
  replicas: {{ .replicas }}
  {{- end }}
  revisionHistoryLimit: 5
  selector:
    matchLabels:
      {{- include "lienzo.selector" . | nindent 6 }}
  strategy:
    {{- if .recreate }}
    type: Recreate
    {{- else }}
    type: RollingUpdate
    rollingUpdate: {maxSurge: 25%, maxUnavailable: 0}
    {{- end }}
  template:
    metadata:
      labels:
        {{- with $root.Values.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
        {{- include "lienzo.selector" . | nindent 8 }}
        lienzo/process: {{ .process }}
      annotations:
        {{- with $root.Values.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
        lienzo/settings: {{ include "lienzo.settings" $root | sha256sum }}
    spec:
      serviceAccountName: {{ include "lienzo.serviceAccount" $root }}
      {{- include "lienzo.placement" $root | nindent 6 }}
      {{- if and .priority $root.Values.priorityClassName }}
      priorityClassName: {{ $root.Values.priorityClassName }}
      {{- end }}
      terminationGracePeriodSeconds: {{ .grace }}
      topologySpreadConstraints:
        {{- $selector := include "lienzo.selector" . }}
        {{- range $root.Values.topologySpread.keys }}
        - topologyKey: {{ . }}
          maxSkew: 1
          whenUnsatisfiable: {{ $root.Values.topologySpread.whenUnsatisfiable }}
          labelSelector:
            matchLabels:
              {{- $selector | nindent 14 }}
          matchLabelKeys: [pod-template-hash]
        {{- end }}
      containers:
        - name: {{ .process }}
          image: {{ include "lienzo.image" $root }}
          imagePullPolicy: {{ $root.Values.image.pullPolicy }}
          command: {{ .command | toJson }}
          {{- if not .bare }}
          {{- with include "lienzo.containerEnv" . }}
          env:
            {{- . | trim | nindent 12 }}
          {{- end }}
          envFrom:
            - configMapRef: {name: {{ include "lienzo.fullname" $root }}-settings}
            {{- with include "lienzo.secretEnvFrom" $root }}
            {{- . | trim | nindent 12 }}
            {{- end }}
          {{- end }}
          ports:
            {{- range $name, $port := .ports }}
            - {name: {{ $name }}, containerPort: {{ $port }}}
            {{- end }}
            {{- if not .bare }}
            - {name: metrics, containerPort: {{ $root.Values.metrics.port }}}
            {{- end }}
          {{- include "lienzo.probes" . | nindent 10 }}
          {{- with .preStopSeconds }}
          lifecycle:
            preStop:
              exec: {command: [sleep, {{ . | toString | quote }}]}
          {{- end }}
          resources:
            {{- toYaml .resources | nindent 12 }}
          securityContext:
            {{- include "lienzo.containerSecurity" $root | nindent 12 }}
          volumeMounts:
            {{- if .bare }}
            - {name: tmp, mountPath: /tmp}
            {{- else }}
            {{- include "lienzo.mounts" $root | nindent 12 }}
            {{- end }}
      volumes:
        {{- if .bare }}
        - name: tmp
          emptyDir: {sizeLimit: 1Gi}
        {{- else }}
        {{- include "lienzo.volumes" $root | nindent 8 }}
        {{- end }}
{{- end -}}

{{- define "lienzo.containerEnv" -}}
{{- range $name, $value := .env }}
- {name: {{ $name }}, value: {{ $value | toString | quote }}}
{{- end }}
{{- include "lienzo.secretEnv" .root }}
{{- end -}}

{{/* `/livez` says that the process makes progress, `/readyz` that it can do its work. */}}
{{- define "lienzo.probes" -}}
{{- $alive := .liveness | default (dict "path" "/livez" "port" "metrics") -}}
{{- with .root.Values.probes -}}
startupProbe:
  httpGet: {{ $alive | toJson }}
  periodSeconds: 2
  timeoutSeconds: 12
  failureThreshold: {{ div .startupSeconds 2 }}
{{- /* A process that hangs says so by itself after 10 s. */}}
livenessProbe:
  httpGet: {{ $alive | toJson }}
  periodSeconds: 15
  timeoutSeconds: 12
  failureThreshold: {{ max 1 (div .livenessSeconds 15) }}
{{- end }}
readinessProbe:
  httpGet: {{ .readiness | default (dict "path" "/readyz" "port" "metrics") | toJson }}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 2
{{- end -}}
