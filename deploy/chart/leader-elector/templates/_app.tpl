{{/* The app's container. */}}
{{- define "active-standby.app" -}}
{{- $ := index . 0 -}}
{{- $s := index . 1 -}}
{{- $app := $.Values.app -}}
{{- $run := eq $.Values.mode "run" -}}
{{- $parts := dict -}}
{{- if $run -}}
  {{- $parts = fromYaml (include "leader-elector.containerParts" (list $ $s "/leader-elector/leader-elector")) -}}
{{- end -}}
- name: app
  {{- include "leader-elector.image" (list $ $app) | nindent 2 }}
  {{- if $run }}
  command:
    {{- include "leader-elector.runCommand" (list $ $s) | nindent 4 }}
  args:
    {{- toYaml (concat $app.command $app.args) | nindent 4 }}
  {{- else }}
  {{- with $app.command }}
  command:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $app.args }}
  args:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
  {{- with concat (default list (get $parts "env")) $app.env }}
  env:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $app.envFrom }}
  envFrom:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- $ports := list }}
  {{- range $app.ports }}{{ $ports = append $ports (omit . "servicePort") }}{{ end }}
  {{- with concat $ports (default list (get $parts "ports")) }}
  ports:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with include "active-standby.readiness" (list $ $s $parts) }}
  readinessProbe:
    {{- . | nindent 4 }}
  {{- end }}
  {{- with default (get $parts "livenessProbe") $app.livenessProbe }}
  livenessProbe:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $app.startupProbe }}
  startupProbe:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if and $run $s.handOverAtEnd $s.http }}
  lifecycle:
    preStop:
      exec:
        command: [/leader-elector/leader-elector, step-down, --wait]
  {{- else if and (not $run) $app.stopDelay }}
  lifecycle:
    # Until the traffic is with the successor: the sidecar's own preStop hands over meanwhile.
    preStop:
      sleep:
        seconds: {{ $app.stopDelay }}
  {{- end }}
  securityContext:
    {{- toYaml $app.securityContext | nindent 4 }}
  resources:
    {{- toYaml $app.resources | nindent 4 }}
  {{- $mounts := concat (fromYamlArray (include "leader-elector.appMounts" (list $ $s))) $app.volumeMounts }}
  {{- if $run }}
  {{- $mounts = concat (fromYamlArray (include "leader-elector.runMounts" (list $ $s))) (default list (get $parts "volumeMounts")) $app.volumeMounts }}
  {{- end }}
  {{- with $mounts }}
  volumeMounts:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* The app's readiness: who leads, its own, or (where the app lives only while it
leads) the election's. */}}
{{- define "active-standby.readiness" -}}
{{- $ := index . 0 -}}
{{- $s := index . 1 -}}
{{- $parts := index . 2 -}}
{{- if $.Values.readyWhileLeading -}}
# Three times "no", since a sidecar that is restarted keeps the lead and is away for a second.
httpGet: { path: /leader, port: {{ regexFind "[0-9]+$" $s.http }} }
periodSeconds: 1
timeoutSeconds: 2
failureThreshold: 3
{{- else if $.Values.app.readinessProbe -}}
{{- toYaml $.Values.app.readinessProbe -}}
{{- else if $parts -}}
{{- with (get $parts "readinessProbe") }}{{ toYaml . }}{{ end -}}
{{- else if and $.Values.app.healthPath $.Values.app.ports -}}
# Its own health: who leads is no part of it.
httpGet:
  path: {{ $.Values.app.healthPath }}
  port: {{ (first $.Values.app.ports).containerPort }}
periodSeconds: 2
{{- end -}}
{{- end -}}

{{/* Fields of the pod's spec that say where and as whom it runs. */}}
{{- define "active-standby.placement" -}}
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.terminationGracePeriodSeconds }}
terminationGracePeriodSeconds: {{ . }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
  {{- if .Values.topologySpreadConstraints }}
  {{- toYaml .Values.topologySpreadConstraints | nindent 2 }}
  {{- else }}
  # Never both on one node; a node that is drained or lost does not count, and
  # neither do the pods of the roll before.
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: {{ ternary "ScheduleAnyway" "DoNotSchedule" (eq .Values.kind "StatefulSet") }}
    nodeTaintsPolicy: Honor
    labelSelector:
      matchLabels:
        {{- include "active-standby.selector" . | nindent 8 }}
    {{- if eq .Values.kind "Deployment" }}
    matchLabelKeys: [pod-template-hash]
    {{- end }}
  {{- end }}
{{- end -}}
