{{/*
Instead of a sidecar: the app's own container is started by the program, and
exists only while its pod leads (docs/run.md).
*/}}

{{/* An init container that puts the program into the volume leader-elector-program. */}}
{{- define "leader-elector.install" -}}
{{- $s := fromYaml (include "leader-elector.settings" .) -}}
- name: {{ $s.containerName }}
  {{- include "leader-elector.image" (list (index . 0) $s) | nindent 2 }}
  args: [install, /shared]
  securityContext:
    {{- toYaml $s.securityContext | nindent 4 }}
  resources:
    requests: { cpu: 10m, memory: 32Mi }
    limits: { memory: 64Mi }
  volumeMounts:
    - { name: leader-elector-program, mountPath: /shared }
{{- end -}}

{{/* The command of the app's container, as a list; the app's own command line is
its args. */}}
{{- define "leader-elector.runCommand" -}}
- /leader-elector/leader-elector
- run
{{ include "leader-elector.args" . }}
- --
{{- end -}}

{{- define "leader-elector.runMounts" -}}
- name: leader-elector-program
  mountPath: /leader-elector
  readOnly: true
{{- end -}}

{{- define "leader-elector.runVolumes" -}}
- name: leader-elector-program
  emptyDir: { sizeLimit: 32Mi }
{{- end -}}
