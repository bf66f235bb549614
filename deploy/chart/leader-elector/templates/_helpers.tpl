{{- define "active-standby.name" -}}
{{- default .Release.Name .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "active-standby.selector" -}}
app.kubernetes.io/name: {{ include "active-standby.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "active-standby.labels" -}}
{{ include "active-standby.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name (.Chart.Version | replace "+" "_") }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The sidecar's settings, with what follows from the values of this chart. */}}
{{- define "active-standby.settings" -}}
{{- $s := deepCopy .Values.sidecar -}}
{{- $name := include "active-standby.name" . -}}
{{- $_ := set $s "name" (default $name $s.name) -}}
{{- $_ := set $s "labels" (merge (fromYaml (include "active-standby.labels" .)) $s.labels) -}}
{{- $_ := set $s "serviceAccountName" (default (ternary $name "default" .Values.serviceAccount.create) .Values.serviceAccount.name) -}}
{{- $_ := set $s "hostNetwork" (or .Values.hostNetwork $s.hostNetwork) -}}
{{- if and .Values.readyWhileLeading (kindIs "string" $s.readinessProbe) -}}
  {{- $_ := set $s "readinessProbe" false -}}
{{- end -}}
{{- if and (not $s.healthCheck) .Values.app.healthPath .Values.app.ports -}}
  {{- $_ := set $s "healthCheck" (list (printf "http://127.0.0.1:%v%s" (first .Values.app.ports).containerPort .Values.app.healthPath)) -}}
{{- end -}}
{{- toYaml $s -}}
{{- end -}}

{{/* What cannot be a schema's matter. */}}
{{- define "active-standby.check" -}}
{{- $s := .Values.sidecar -}}
{{- if and .Values.readyWhileLeading (not (has $s.route (list "" "none"))) -}}
  {{- fail (printf "readyWhileLeading routes by readiness, and sidecar.route=%s by another way: set sidecar.route=none" $s.route) -}}
{{- end -}}
{{- if and .Values.readyWhileLeading (not $s.http) -}}
  {{- fail "readyWhileLeading asks the sidecar over HTTP: set sidecar.http" -}}
{{- end -}}
{{- if and (eq .Values.mode "run") (not .Values.app.command) -}}
  {{- fail "mode: run starts the app itself: set app.command" -}}
{{- end -}}
{{- if and (eq .Values.mode "sidecar") (or $s.stopGrace $s.onExit) -}}
  {{- fail "sidecar.stopGrace and sidecar.onExit are of the app that is started: set mode: run" -}}
{{- end -}}
{{- if and $s.route (ne $s.route "none") (not .Values.service.enabled) (not $s.service) -}}
  {{- fail (printf "sidecar.route=%s writes for a Service: set service.enabled, or sidecar.service" $s.route) -}}
{{- end -}}
{{- if and .Values.service.enabled (not .Values.app.ports) -}}
  {{- fail "a Service needs a port: set app.ports, or service.enabled=false with sidecar.route=none" -}}
{{- end -}}
{{- end -}}
