{{/* The name of all objects. */}}
{{- define "tocsin.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{/* What the pods of this release are found by; it never changes. */}}
{{- define "tocsin.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "tocsin.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{ include "tocsin.selector" . }}
{{- end }}

{{- define "tocsin.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/* Whether the processes run any of some roles: (list . "ingest" "api") gives "yes" or nothing. */}}
{{- define "tocsin.runs" -}}
{{- $roles := (index . 0).Values.roles -}}
{{- $yes := has "all" $roles -}}
{{- range rest . }}{{ if has . $roles }}{{ $yes = true }}{{ end }}{{ end -}}
{{- if $yes }}yes{{ end -}}
{{- end }}

{{- define "tocsin.scheme" -}}
{{- if .Values.tls.secretName }}https{{ else }}http{{ end -}}
{{- end }}

{{- define "tocsin.tokens" -}}
{{- .Values.auth.secretName | default (printf "%s-tokens" (include "tocsin.fullname" .)) -}}
{{- end }}
