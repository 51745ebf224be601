{{/* What the chart writes into tocsin.yaml itself: what its other objects rely on, and what has a value of its own. */}}
{{- define "tocsin.own" -}}
data: /data
rules:
  {{- if .Values.rules.shipped }}
  - /rules.d
  {{- end }}
  {{- if .Values.rules.extra }}
  - /rules.extra
  {{- end }}
roles: {{ toJson .Values.roles }}
ingest:
  listen: ":8081"
  {{- if .Values.tls.secretName }}
  tls: {cert: /tls/tls.crt, key: /tls/tls.key}
  {{- else }}
  allow_plaintext: true
  {{- end }}
api:
  listen: ":8080"
  {{- if .Values.tls.secretName }}
  tls: {cert: /tls/tls.crt, key: /tls/tls.key}
  {{- else }}
  allow_plaintext: true
  {{- end }}
vector:
  listen: ":6000"
  {{- if .Values.tls.secretName }}
  cert: /tls/tls.crt
  key: /tls/tls.key
  {{- else }}
  allow_plaintext: true
  {{- end }}
admin:
  listen: ":8082"
{{- with .Values.nats }}
{{- if .url }}
nats:
  url: {{ toJson .url }}
  replicas: {{ .replicas }}
  {{- if .tlsSecretName }}
  ca: /nats/tls/ca.crt
  cert: /nats/tls/tls.crt
  key: /nats/tls/tls.key
  {{- end }}
  {{- if .credsSecretName }}
  creds: /nats/creds/nats.creds
  {{- end }}
{{- end }}
{{- end }}
{{- if .Values.audit.secretName }}
audit:
  key_file: /audit/audit.key
{{- end }}
{{- if .Values.kyverno.enabled }}
kyverno:
  enabled: true
  cluster: {{ toJson .Values.kyverno.cluster }}
{{- end }}
{{- end }}

{{/* tocsin.yaml: what the user says, over a format that machines read, and what the chart says over that. */}}
{{- define "tocsin.yaml" -}}
{{- $default := dict "log" (dict "format" "json") -}}
{{- mustMergeOverwrite $default (deepCopy .Values.config) (include "tocsin.own" . | fromYaml) | toYaml -}}
{{- end }}

{{/* Values that the schema takes and that do not go together. */}}
{{- define "tocsin.check" -}}
{{- $v := .Values -}}
{{- if eq $v.mode "one" -}}
  {{- if ne (toJson $v.roles) `["all"]` }}{{ fail "roles: a process with some roles meets the others in a NATS and a PostgreSQL: set mode to replicas, or leave roles out" }}{{ end -}}
  {{- if $v.nats.url }}{{ fail "nats.url: mode one has a NATS within its process: set mode to replicas" }}{{ end -}}
  {{- if $v.store.secretName }}{{ fail "store.secretName: mode one has a SQLite on its volume: set mode to replicas" }}{{ end -}}
{{- else -}}
  {{- if and (not $v.nats.url) (include "tocsin.runs" (list . "ingest" "match" "correlate" "api")) }}{{ fail "nats.url: mode replicas wants the addresses of a NATS of yours" }}{{ end -}}
  {{- if and (not $v.store.secretName) (include "tocsin.runs" (list . "correlate" "alert" "api")) }}{{ fail "store.secretName: mode replicas wants a Secret with the url of a PostgreSQL of yours" }}{{ end -}}
  {{- if and (not $v.persistence.enabled) (not $v.audit.secretName) (include "tocsin.runs" (list . "api")) }}{{ fail "audit.secretName: without persistence each start would sign the audit log with a new key: name a Secret with audit.key" }}{{ end -}}
{{- end -}}
{{- if not (or $v.tls.secretName $v.tls.plaintext) }}{{ fail "tls.secretName: name a Secret with a certificate, or say tls.plaintext: true" }}{{ end -}}
{{- if and $v.ingress.enabled (not $v.ingress.host) }}{{ fail "ingress.host: it is empty" }}{{ end -}}
{{- if and $v.httpRoute.enabled (not $v.httpRoute.parentRefs) }}{{ fail "httpRoute.parentRefs: it names no gateway" }}{{ end -}}
{{- if not (or $v.rules.shipped $v.rules.extra) }}{{ fail "rules: without the shipped ones there are none: rules.extra is empty" }}{{ end -}}
{{- range $section, $keys := dict
      "ingest" (list "listen" "tls.cert" "tls.key" "allow_plaintext" "token")
      "api" (list "listen" "tls" "allow_plaintext" "token")
      "vector" (list "listen" "cert" "key" "allow_plaintext") -}}
  {{- range $key := $keys -}}
    {{- $at := get $v.config $section | default dict -}}
    {{- $name := $key -}}
    {{- if contains "." $key }}{{ $at = get $at "tls" | default dict }}{{ $name = trimPrefix "tls." $key }}{{ end -}}
    {{- if hasKey $at $name }}{{ fail (printf "config.%s.%s: the chart says it itself, since its other objects rely on it: see tls and auth" $section $key) }}{{ end -}}
  {{- end -}}
{{- end -}}
{{- if hasKey (dig "api" "oidc" dict $v.config) "client_secret" }}{{ fail "config.api.oidc.client_secret: it is a secret: give it as TOCSIN_API_OIDC_CLIENT_SECRET in extraEnv, from a Secret" }}{{ end -}}
{{- end }}
