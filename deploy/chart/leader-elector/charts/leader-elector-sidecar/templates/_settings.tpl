{{/*
Every template of this chart takes a list: the root context and the settings,
which are the values of this chart as your chart has them.

    {{ include "leader-elector.sidecar" (list $ .Values.sidecar) }}
*/}}

{{/* The settings with what follows from them, as YAML. */}}
{{- define "leader-elector.settings" -}}
{{- $root := index . 0 -}}
{{- $s := deepCopy (index . 1) -}}
{{- range $name := splitList " " (include "leader-elector.flags" .) -}}
  {{- $value := index $s $name -}}
  {{- if and (kindIs "string" $value) (contains "{{" $value) -}}
    {{- $_ := set $s $name (tpl $value $root) -}}
  {{- else if kindIs "slice" $value -}}
    {{- $made := list -}}
    {{- range $value -}}{{- $made = append $made (tpl . $root) -}}{{- end -}}
    {{- $_ := set $s $name $made -}}
  {{- end -}}
{{- end -}}
{{- $_ := set $s "name" (default $root.Release.Name (tpl ($s.name | default "") $root)) -}}
{{- $_ := set $s "election" (default $s.name $s.election) -}}
{{- $_ := set $s "serviceAccountName" (default $s.name (tpl ($s.serviceAccountName | default "") $root)) -}}
{{- if eq $s.route "endpointslice" -}}
  {{- $_ := set $s "service" (default $s.name $s.service) -}}
{{- end -}}
{{- if and $s.hostNetwork (not $s.podIp) -}}
  {{- $_ := set $s "podIp" "$(POD_IPS)" -}}
{{- end -}}
{{- /* The elections of 0.5 are in the namespace "default" unless they say another. */ -}}
{{- $_ := set $s "lockNamespace" (default (ternary $root.Release.Namespace "default" (has $s.lock (list "" "leases"))) $s.electionNamespace) -}}
{{- /* Where it answers: on no port, on its own loopback, or for all. */ -}}
{{- $_ := set $s "port" (ternary 0 (regexFind "[0-9]+$" $s.http | int) (empty $s.http)) -}}
{{- $_ := set $s "loopback" (regexMatch "^(127\\.|localhost:|\\[::1\\])" $s.http) -}}
{{- toYaml $s -}}
{{- end -}}

{{/* The name of the election. */}}
{{- define "leader-elector.election" -}}
{{- $s := fromYaml (include "leader-elector.settings" .) -}}
{{- $s.election -}}
{{- end -}}

{{/* The label of the election's pods. */}}
{{- define "leader-elector.labels" -}}
leader-elector.io/election: {{ include "leader-elector.election" . | quote }}
{{- end -}}

{{/* The flags as a list of arguments. */}}
{{- define "leader-elector.args" -}}
{{- $s := fromYaml (include "leader-elector.settings" .) -}}
{{- $on := splitList " " (include "leader-elector.flagsOn" .) -}}
{{- $args := list -}}
{{- range $name := splitList " " (include "leader-elector.flags" .) -}}
  {{- $value := index $s $name -}}
  {{- $flag := printf "--%s" (kebabcase $name) -}}
  {{- if eq $name "http" -}}
    {{- /* A variable, so that preStop and probes in the container know it too. */ -}}
  {{- else if kindIs "bool" $value -}}
    {{- if ne $value (has $name $on) -}}
      {{- $args = append $args (ternary $flag (printf "%s=false" $flag) $value) -}}
    {{- end -}}
  {{- else if kindIs "slice" $value -}}
    {{- range $value -}}{{- $args = append $args (printf "%s=%s" $flag .) -}}{{- end -}}
  {{- else if $value -}}
    {{- $args = append $args (printf "%s=%v" $flag $value) -}}
  {{- end -}}
{{- end -}}
{{- toYaml (concat $args $s.extraArgs) -}}
{{- end -}}
