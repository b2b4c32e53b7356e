{{- define "parlance.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "parlance.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "parlance.labels" -}}
{{ include "parlance.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "parlance.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "parlance.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/* The environment that spells a map of settings: levels are parted by two underscores. */}}
{{- define "parlance.settings" -}}
{{- range $key, $value := .settings }}
{{- $name := printf "%s%s" $.prefix (upper $key) }}
{{- if kindIs "map" $value }}
{{- include "parlance.settings" (dict "prefix" (printf "%s__" $name) "settings" $value) }}
{{- else if not (kindIs "invalid" $value) }}
- name: {{ $name }}
  {{- if kindIs "slice" $value }}
  value: {{ join "," $value | quote }}
  {{- else if kindIs "float64" $value }}
  value: {{ int64 $value | quote }}
  {{- else }}
  value: {{ $value | quote }}
  {{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "parlance.secretName" -}}
{{ include "parlance.fullname" . }}
{{- end }}

{{- define "parlance.redisName" -}}
{{ include "parlance.fullname" . }}-redis
{{- end }}

{{/* Where the address of Redis comes from. */}}
{{- define "parlance.redisEnv" -}}
- name: PARLANCE_REDIS__URL
  {{- if .Values.redis.enabled }}
  value: redis://{{ include "parlance.redisName" . }}:6379
  {{- else }}
  valueFrom:
    secretKeyRef:
      {{- if .Values.externalRedis.existingSecret }}
      name: {{ .Values.externalRedis.existingSecret }}
      key: {{ .Values.externalRedis.existingSecretKey }}
      {{- else }}
      name: {{ include "parlance.secretName" . }}
      key: redis-url
      {{- end }}
  {{- end }}
{{- end }}

{{/* The Secret and key of HS256; nothing where a public key is used. */}}
{{- define "parlance.jwtSecretRef" -}}
{{- if .Values.auth.existingSecret }}
name: {{ .Values.auth.existingSecret }}
key: {{ .Values.auth.existingSecretKey }}
{{- else if .Values.auth.jwtSecret }}
name: {{ include "parlance.secretName" . }}
key: jwt-secret
{{- end }}
{{- end }}

{{/* Values that contradict each other end the installation, each with its cure. */}}
{{- define "parlance.validate" -}}
{{- $v := .Values }}
{{- $keys := 0 }}
{{- range list $v.auth.jwtSecret $v.auth.existingSecret $v.auth.publicKey }}
{{- if . }}{{ $keys = add1 $keys }}{{ end }}
{{- end }}
{{- if ne (int $keys) 1 }}
{{- fail "set exactly one of auth.jwtSecret, auth.existingSecret and auth.publicKey" }}
{{- end }}
{{- if and $v.auth.publicKey (not $v.blobs.existingSecret) }}
{{- fail "blobs.existingSecret: beside auth.publicKey name a Secret with PARLANCE_BLOBS__SECRET: links to files cannot be signed with a public key" }}
{{- end }}
{{- if and $v.auth.jwtSecret (lt (len $v.auth.jwtSecret) 32) }}
{{- fail "auth.jwtSecret: needs at least 32 characters" }}
{{- end }}
{{- $external := or $v.externalRedis.url $v.externalRedis.existingSecret }}
{{- if and $v.redis.enabled $external }}
{{- fail "redis.enabled and externalRedis exclude each other: set redis.enabled to false" }}
{{- end }}
{{- if not (or $v.redis.enabled $external) }}
{{- fail "nodes need a Redis: set externalRedis.url, externalRedis.existingSecret or redis.enabled" }}
{{- end }}
{{- if and $v.externalRedis.url $v.externalRedis.existingSecret }}
{{- fail "set one of externalRedis.url and externalRedis.existingSecret" }}
{{- end }}
{{- $drain := dig "drain" "seconds" 8 $v.settings | int }}
{{- $needed := add (int $v.preStopSeconds) $drain 2 | int }}
{{- if lt (int $v.terminationGracePeriodSeconds) $needed }}
{{- fail (printf "terminationGracePeriodSeconds: has to be at least %d (preStopSeconds + settings.drain.seconds + 2)" $needed) }}
{{- end }}
{{- if and $v.ingress.enabled (not $v.ingress.hosts) }}
{{- fail "ingress.hosts: name at least one host" }}
{{- end }}
{{- if and $v.gateway.enabled (not $v.gateway.parentRefs) }}
{{- fail "gateway.parentRefs: name the gateway" }}
{{- end }}
{{- if $v.autoscaling.enabled }}
{{- if not (or $v.autoscaling.targetCPU $v.autoscaling.targetConnections) }}
{{- fail "autoscaling: set targetCPU or targetConnections" }}
{{- end }}
{{- if lt (int $v.autoscaling.maxReplicas) (int $v.autoscaling.minReplicas) }}
{{- fail "autoscaling.maxReplicas: is below minReplicas" }}
{{- end }}
{{- end }}
{{- end }}
