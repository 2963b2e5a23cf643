{{- /* The name of all objects: graylane-controller for a release `graylane`, as in k8s/controller. */ -}}
{{- define "graylane.name" -}}
{{- printf "%s-controller" (.Release.Name | trunc 40 | trimSuffix "-") }}
{{- end }}

{{- define "graylane.selector" -}}
app.kubernetes.io/name: graylane-controller
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "graylane.labels" -}}
{{ include "graylane.selector" . }}
{{ include "graylane.labels.common" . }}
{{- end }}

{{- define "graylane.console.name" -}}
{{- printf "%s-console" (.Release.Name | trunc 40 | trimSuffix "-") }}
{{- end }}

{{- define "graylane.console.selector" -}}
app.kubernetes.io/name: graylane-console
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "graylane.console.labels" -}}
{{ include "graylane.console.selector" . }}
{{ include "graylane.labels.common" . }}
{{- end }}

{{- define "graylane.labels.common" -}}
app.kubernetes.io/part-of: graylane
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "graylane.image" -}}
{{- with .Values.image }}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{- /* The options of `graylane controller` that say where the groups are. */ -}}
{{- define "graylane.scope" -}}
{{- if .Values.allNamespaces }}
- --all-namespaces
{{- else }}
{{- range .Values.namespaces }}
- --namespace={{ . }}
{{- end }}
{{- end }}
{{- end }}

{{- /* The namespaces in which it has rights, as a JSON list. */ -}}
{{- define "graylane.places" -}}
{{- concat .Values.namespaces .Values.allowNamespaces | uniq | toJson }}
{{- end }}

{{- /* The API server's ports, as a JSON list. Without one, a rule of egress would open every port. */ -}}
{{- define "graylane.apiServerPorts" -}}
{{- if not .Values.networkPolicy.apiServerPorts }}
{{- fail "\n\nvalues: `networkPolicy.apiServerPorts` is empty, so that every port could be called; write `apiServerPorts: [443, 6443]`." }}
{{- end }}
{{- .Values.networkPolicy.apiServerPorts | toJson }}
{{- end }}

{{- define "graylane.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "graylane.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "graylane.check" -}}
{{- if and .Values.allNamespaces .Values.namespaces }}
{{- fail "\n\nvalues: `namespaces` and `allNamespaces` exclude each other; write one of them." }}
{{- else if not (or .Values.allNamespaces .Values.namespaces) }}
{{- fail "\n\nvalues: nothing says where the LaneGroups are; write `namespaces: [demo]` (--set 'namespaces={demo}'), or `allNamespaces: true`." }}
{{- end }}
{{- if and .Values.barrier.enabled .Values.istiod }}
{{- fail "\n\nvalues: `barrier.enabled` reads istiod by a port-forward, and `istiod` by a URL; write one of them." }}
{{- end }}
{{- end }}
