{{/* Fails with what is wrong with the values where the schema cannot say it. */}}
{{- define "lienzo.checks" -}}
{{- include "lienzo.checks.settings" (dict "root" . "settings" .Values.settings "at" "settings") -}}
{{- include "lienzo.checks.secrets" . -}}
{{- include "lienzo.checks.groups" . -}}
{{- include "lienzo.checks.scaling" (dict "name" "web.autoscaling" "autoscaling" .Values.web.autoscaling) -}}
{{- $needed := add .Values.web.preStopSeconds 320 -}}
{{- if lt (int .Values.web.terminationGracePeriodSeconds) (int $needed) -}}
{{- fail (printf "web.terminationGracePeriodSeconds: %d cuts requests off; web.preStopSeconds, 310 s of draining and 10 s make at least %d" (int .Values.web.terminationGracePeriodSeconds) $needed) -}}
{{- end -}}
{{- if and .Values.networkPolicy.enabled (not .Values.networkPolicy.dispatcherServices) -}}
{{- fail "networkPolicy.dispatcherServices: say how the dispatcher reaches PostgreSQL; it may reach nothing private otherwise" -}}
{{- end -}}
{{- if and .Values.ingress.enabled (hasPrefix "http:" .Values.publicBaseUrl) .Values.ingress.tls.secretName -}}
{{- fail "publicBaseUrl: begins with http:// although ingress.tls.secretName is set" -}}
{{- end -}}
{{- if and .Values.backup.enabled (not .Values.backup.claimName) -}}
{{- fail "backup.claimName: name the PersistentVolumeClaim that takes the backups" -}}
{{- end -}}
{{- if and .Values.sandbox.drawsForDemos (not .Values.sandbox.enabled) -}}
{{- fail "sandbox.drawsForDemos: needs sandbox.enabled" -}}
{{- end -}}
{{- end -}}

{{/* A dict of root, settings and at, where they stand. */}}
{{- define "lienzo.checks.settings" -}}
{{- $own := dict
    "PUBLIC_BASE_URL" "publicBaseUrl" "ALLOWED_HOSTS" "allowedHosts" "HOST" "" "PORT" ""
    "METRICS_HOST" "" "METRICS_PORT" "metrics.port" "WEB_PROCESSES" "web.processes"
    "WORKER_POOL_SIZE" "poolSize of a worker group" "LIENZO_VAR" "" "LIENZO_EMBEDDED" "" -}}
{{- $secret := "(_SECRETS?(_FALLBACKS)?|_KEYS?|_KEYS?_FALLBACKS|_KEY_ID|_TOKEN|_PASSWORD|_DSN|_HEADERS)$|SECRET|^(DATABASE|REDIS|CELERY_BROKER|EMAIL)_URL$" -}}
{{- range $name, $_ := .settings -}}
{{- $at := printf "%s.%s" $.at $name -}}
{{- if hasKey $own $name -}}
{{- fail (printf "%s: the chart sets it itself%s" $at (empty (get $own $name) | ternary "" (printf "; see %s" (get $own $name)))) -}}
{{- end -}}
{{- if and $.root.Values.sandbox.enabled (has $name (list "SANDBOX_BASE_URL" "LIENZO_SANDBOX")) -}}
{{- fail (printf "%s: the chart sets it itself with sandbox.enabled" $at) -}}
{{- end -}}
{{- if regexMatch $secret $name -}}
{{- fail (printf "%s: is a secret; put it into a Secret and name that under secrets" $at) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "lienzo.checks.secrets" -}}
{{- $seen := dict -}}
{{- range .Values.secrets -}}
{{- if and (eq (.as | default "env") "files") (not .keys) -}}
{{- fail (printf "secrets: %s is mounted as files, so say which under keys" .name) -}}
{{- end -}}
{{- range $setting, $_ := .keys -}}
{{- if hasKey $seen $setting -}}
{{- fail (printf "secrets: %s is in two of them" $setting) -}}
{{- end -}}
{{- if hasKey $.Values.settings $setting -}}
{{- fail (printf "secrets: %s is among the settings, too" $setting) -}}
{{- end -}}
{{- $_ := set $seen $setting true -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Every queue has a worker group, and only one: a queue without one would never be served. */}}
{{- define "lienzo.checks.groups" -}}
{{- $known := list
    "generate.openai" "generate.azure_openai" "generate.gemini" "generate.xai" "generate.fal"
    "generate.bfl" "generate.stability" "generate.ideogram" "generate.sandbox" "default" "thumbnails" -}}
{{- $groups := dict -}}
{{- $owners := dict -}}
{{- range $group := .Values.worker.groups -}}
{{- if hasKey $groups .name -}}
{{- fail (printf "worker.groups: two are called %s" .name) -}}
{{- end -}}
{{- $_ := set $groups .name true -}}
{{- include "lienzo.checks.settings" (dict "root" $ "settings" .settings "at" (printf "worker.groups: %s: settings" .name)) -}}
{{- range .queues -}}
{{- if not (has . $known) -}}
{{- fail (printf "worker.groups: %s has the queue %s, which does not exist; there are %s" $group.name . (join ", " $known)) -}}
{{- end -}}
{{- if hasKey $owners . -}}
{{- fail (printf "worker.groups: the queue %s is in both %s and %s" . (get $owners .) $group.name) -}}
{{- end -}}
{{- $_ := set $owners . $group.name -}}
{{- end -}}
{{- with .autoscaling -}}
{{- include "lienzo.checks.scaling" (dict "name" (printf "worker.groups: %s: autoscaling" $group.name) "autoscaling" .) -}}
{{- if and .queueAgeSeconds (not (include "lienzo.providers" $group)) -}}
{{- fail (printf "worker.groups: %s has no queue of a provider, so autoscaling.queueAgeSeconds knows no age" $group.name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $known -}}
{{- if not (hasKey $owners .) -}}
{{- fail (printf "worker.groups: no group has the queue %s" .) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "lienzo.checks.scaling" -}}
{{- if gt (int .autoscaling.minReplicas) (int .autoscaling.maxReplicas) -}}
{{- fail (printf "%s: minReplicas is above maxReplicas" .name) -}}
{{- end -}}
{{- end -}}

{{/* The providers of a worker group's queues, separated by spaces. */}}
{{- define "lienzo.providers" -}}
{{- $found := list -}}
{{- range .queues -}}
{{- if hasPrefix "generate." . -}}
{{- $found = append $found (trimPrefix "generate." .) -}}
{{- end -}}
{{- end -}}
{{- join " " $found -}}
{{- end -}}
