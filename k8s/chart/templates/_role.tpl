{{- /* A Role with its RoleBinding; without a namespace a ClusterRole. Takes root, name, namespace, and which rules. */ -}}
{{- define "graylane.role" -}}
{{- $kind := ternary "Role" "ClusterRole" (ne .namespace "") -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}
{{ include "graylane.role.metadata" . }}
{{ include (printf "graylane.rules.%s" .rules) .root }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}Binding
{{ include "graylane.role.metadata" . }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ $kind }}
  name: {{ .name }}
subjects:
  - kind: ServiceAccount
    name: {{ include "graylane.name" .root }}
    namespace: {{ .root.Release.Namespace }}
{{- end }}

{{- define "graylane.role.metadata" -}}
metadata:
  name: {{ .name }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- include "graylane.labels" .root | nindent 4 }}
{{- end }}
