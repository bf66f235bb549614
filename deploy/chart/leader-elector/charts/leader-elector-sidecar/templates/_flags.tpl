{{/* Written by "go test . -update" in test/chart, from the program's flags. */}}
{{- define "leader-elector.flags" -}}
election electionNamespace id lock newLock ttl renewEvery kubeconfig server useClusterCredentials healthCheck healthInterval healthTimeout healthRise healthFall healthStartWait healthHold route service podIp podSelector notifyUrl stateFile handoverTimeout http stopGrace onExit logLevel logFormat
{{- end -}}

{{/* The switches that are on unless they are told otherwise. */}}
{{- define "leader-elector.flagsOn" -}}
healthHold
{{- end -}}
