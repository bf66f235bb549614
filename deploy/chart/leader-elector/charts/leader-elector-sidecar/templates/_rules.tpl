{{/* Written by "go test . -update" in test/chart, from the Roles of deploy/base and deploy/components. */}}
{{- define "leader-elector.rules.leases" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ . }}]
  verbs: [get, list, watch, update]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
{{- end -}}
{{- define "leader-elector.rules.endpoints" -}}
- apiGroups: [""]
  resources: [endpoints]
  resourceNames: [{{ . }}]
  verbs: [get, list, watch, update]
- apiGroups: [""]
  resources: [endpoints]
  verbs: [create]
{{- end -}}
{{- define "leader-elector.rules.endpoints-leases" -}}
- apiGroups: [""]
  resources: [endpoints]
  resourceNames: [{{ . }}]
  verbs: [get, list, watch, update]
- apiGroups: [""]
  resources: [endpoints]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ . }}]
  verbs: [get, list, watch, update]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
{{- end -}}
{{- define "leader-elector.rules.endpointslice" -}}
# Read, replace on exactly the version that was read, and watch for others' edits.
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  resourceNames: [{{ . }}-leader-ipv4, {{ . }}-leader-ipv6]
  verbs: [get, watch, update]
# RBAC cannot limit these two by name: create makes the two slices above, list
# finds other slices of the Service, beside which nothing is written.
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [create, list]
# Its ports and families, and that it has no selector.
- apiGroups: [""]
  resources: [services]
  resourceNames: [{{ . }}]
  verbs: [get]
{{- end -}}
{{- define "leader-elector.rules.label" -}}
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch, patch]
{{- end -}}
