{{/* What is the same in every container that runs the program. */}}
{{- define "leader-elector.image" -}}
{{- $image := (index . 1).image -}}
image: {{ ternary (printf "%s:%s" $image.repository $image.tag) (printf "%s@%s" $image.repository $image.digest) (empty $image.digest) | quote }}
{{- with $image.pullPolicy }}
imagePullPolicy: {{ . }}
{{- end }}
{{- end -}}

{{/* The native sidecar, an item of the pod's initContainers. */}}
{{- define "leader-elector.sidecar" -}}
{{- $s := fromYaml (include "leader-elector.settings" .) -}}
- name: {{ $s.containerName }}
  {{- include "leader-elector.image" (list (index . 0) $s) | nindent 2 }}
  # A native sidecar: it starts before the app and ends after it.
  restartPolicy: Always
  args:
    {{- include "leader-elector.args" . | nindent 4 }}
  {{- include "leader-elector.containerParts" . | trim | nindent 2 }}
  {{- if and $s.handOverAtEnd $s.port }}
  lifecycle:
    preStop:
      exec:
        command: [/leader-elector, step-down, --wait]
  {{- end }}
  securityContext:
    {{- toYaml $s.securityContext | nindent 4 }}
  resources:
    {{- toYaml $s.resources | nindent 4 }}
{{- end -}}

{{/* Variables, port, probes and mounts that the program needs, as the sidecar or
in the app's own container. */}}
{{- define "leader-elector.containerParts" -}}
{{- $s := fromYaml (include "leader-elector.settings" .) -}}
{{- $program := ternary "/leader-elector" (last .) (eq (len .) 2) -}}
{{- $env := list -}}
{{- if ne $s.http ":4040" -}}
  {{- $env = append $env (dict "name" "LEADER_ELECTOR_HTTP" "value" $s.http) -}}
{{- end -}}
{{- if $s.hostNetwork -}}
  {{- $env = append $env (dict "name" "POD_IPS" "valueFrom" (dict "fieldRef" (dict "fieldPath" "status.podIPs"))) -}}
{{- end -}}
{{- with concat $env $s.env }}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if and $s.port (not $s.loopback) }}
ports:
  - name: election
    containerPort: {{ $s.port }}
{{- if $s.livenessProbe }}
# Only a loop that no longer turns is restarted; an API server that is away is no reason.
livenessProbe:
  httpGet: { path: /livez, port: election }
  periodSeconds: 10
  timeoutSeconds: 5
{{- end }}
{{- end }}
{{- $ready := ternary (ne $s.route "label") $s.readinessProbe (kindIs "string" $s.readinessProbe) }}
{{- if and $s.port $ready }}
# Ready is who has its rights and has read the lock, whoever leads.
readinessProbe:
  {{- if $s.loopback }}
  exec: { command: [{{ $program }}, probe, ready] }
  {{- else }}
  httpGet: { path: /readyz, port: election }
  {{- end }}
  periodSeconds: 2
{{- end }}
{{- include "leader-elector.mounts" . }}
{{- end -}}

{{- define "leader-elector.mounts" -}}
{{- $s := fromYaml (include "leader-elector.settings" .) -}}
{{- $mounts := list -}}
{{- if $s.ownToken -}}
  {{- $mounts = append $mounts (dict "name" "leader-elector-token" "mountPath" "/var/run/secrets/kubernetes.io/serviceaccount" "readOnly" true) -}}
{{- end -}}
{{- if $s.stateFile -}}
  {{- $mounts = append $mounts (dict "name" "leader-elector-state" "mountPath" (dir $s.stateFile)) -}}
{{- end -}}
{{- with concat $mounts $s.volumeMounts }}
volumeMounts:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Mounts of the app's container: the state file, and the program where the app
is started by it. Nothing if there are none. */}}
{{- define "leader-elector.appMounts" -}}
{{- $s := fromYaml (include "leader-elector.settings" .) -}}
{{- if $s.stateFile }}
- name: leader-elector-state
  mountPath: {{ dir $s.stateFile }}
  readOnly: true
{{- end }}
{{- end -}}

{{/* The pod's volumes that the settings need; nothing if they need none. */}}
{{- define "leader-elector.volumes" -}}
{{- $s := fromYaml (include "leader-elector.settings" .) -}}
{{- if $s.stateFile }}
- name: leader-elector-state
  emptyDir: { medium: Memory, sizeLimit: 1Mi }
{{- end }}
{{- if $s.ownToken }}
# What Kubernetes mounts into every container otherwise.
- name: leader-elector-token
  projected:
    defaultMode: 0444
    sources:
      - serviceAccountToken: { path: token, expirationSeconds: 3607 }
      - configMap: { name: kube-root-ca.crt, items: [{ key: ca.crt, path: ca.crt }] }
      - downwardAPI: { items: [{ path: namespace, fieldRef: { apiVersion: v1, fieldPath: metadata.namespace } }] }
{{- end }}
{{- end -}}

{{/* Fields of the pod's spec. */}}
{{- define "leader-elector.podFields" -}}
{{- $s := fromYaml (include "leader-elector.settings" .) -}}
serviceAccountName: {{ $s.serviceAccountName }}
{{- if $s.ownToken }}
automountServiceAccountToken: false
{{- end }}
{{- if $s.hostNetwork }}
hostNetwork: true
dnsPolicy: ClusterFirstWithHostNet
{{- end }}
{{- end -}}
