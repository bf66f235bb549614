{{/* The Roles of the settings and their RoleBindings: for the lock, and for what
the leader writes so that traffic follows. Nothing that is not used is granted. */}}
{{- define "leader-elector.rbac" -}}
{{- $s := fromYaml (include "leader-elector.settings" .) -}}
{{- $own := (index . 0).Release.Namespace -}}
{{- $rules := include (printf "leader-elector.rules.%s" (replace "+" "-" (default "leases" $s.lock))) $s.election -}}
{{- include "leader-elector.role" (dict "s" $s "own" $own "namespace" $s.lockNamespace "name" (printf "%s-leader-elector" $s.name) "rules" $rules) }}
{{- if has $s.route (list "endpointslice" "label") }}
{{- $rules := include (printf "leader-elector.rules.%s" $s.route) (default "" $s.service) }}
---
{{ include "leader-elector.role" (dict "s" $s "own" $own "namespace" $own "name" (printf "%s-leader-elector-%s" $s.name $s.route) "rules" $rules) }}
{{- end }}
{{- if get $s "events" }}
{{- range uniq (list $own $s.lockNamespace) }}
---
{{ include "leader-elector.role" (dict "s" $s "own" $own "namespace" . "name" (printf "%s-leader-elector-events" $s.name) "rules" (include "leader-elector.rules.events" "")) }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "leader-elector.role" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ .name }}
  namespace: {{ .namespace }}
  {{- with .s.labels }}
  labels:
    {{- toYaml . | nindent 4 }}
  {{- end }}
rules:
  {{- .rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ .name }}
  namespace: {{ .namespace }}
  {{- with .s.labels }}
  labels:
    {{- toYaml . | nindent 4 }}
  {{- end }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ .name }}
subjects:
  - kind: ServiceAccount
    name: {{ .s.serviceAccountName }}
    namespace: {{ .own }}
{{- end -}}

{{/* The selector of the Service, from the labels of your pods (a third item of the
list); nothing where the leader writes the Service's address itself. */}}
{{- define "leader-elector.serviceSelector" -}}
{{- $s := fromYaml (include "leader-elector.settings" .) -}}
{{- if ne $s.route "endpointslice" }}
{{- toYaml (index . 2) }}
{{- if eq $s.route "label" }}
leader-elector.io/role: leader
{{- end }}
{{- end }}
{{- end -}}
