{{- define "berth.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "berth.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains (include "berth.name" .) .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "berth.name" .) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "berth.selector" -}}
app.kubernetes.io/name: {{ include "berth.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "berth.labels" -}}
{{ include "berth.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "berth.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "berth.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "berth.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "berth.scaled" -}}
{{- if eq .Values.mode "scaled" }}yes{{ end -}}
{{- end -}}

{{/* Stops what could not work with words about it; lint passes over. */}}
{{- define "berth.check" -}}
{{- if not (or .Values.access.existingSecret .Values.access.anonymous (dig "access" "anonymous" "" .Values.config) (dig "access" "users" list .Values.config)) -}}
{{- fail "nobody could use this registry: name a secret with users in access.existingSecret, or say access.anonymous" -}}
{{- end -}}
{{- if include "berth.scaled" . -}}
{{- $_ := required "mode scaled needs database.url" .Values.database.url -}}
{{- $_ := required "mode scaled needs database.existingSecret, the secret that holds the password" .Values.database.existingSecret -}}
{{- $_ := required "mode scaled needs bucket.url" .Values.bucket.url -}}
{{- end -}}
{{- if gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas) -}}
{{- fail "autoscaling.minReplicas is above autoscaling.maxReplicas" -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}
{{- fail "ingress.enabled needs ingress.hosts" -}}
{{- end -}}
{{- if and .Values.backup.enabled (not .Values.backup.url) -}}
{{- fail "backup.enabled needs backup.url" -}}
{{- end -}}
{{- if and .Values.backup.enabled (eq .Values.backup.url .Values.bucket.url) (eq .Values.backup.endpoint .Values.bucket.endpoint) -}}
{{- fail "backup.url is where the registry keeps its blobs: name another bucket" -}}
{{- end -}}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) -}}
{{- fail "httpRoute.enabled needs httpRoute.parentRefs" -}}
{{- end -}}
{{- end -}}

{{/* berth.yaml: what the chart decides, and the user's own keys over it. */}}
{{- define "berth.config" -}}
{{- $http := dict
      "listen" (list "0.0.0.0:5000")
      "shutdown_delay_seconds" (int .Values.shutdown.delaySeconds)
      "shutdown_grace_seconds" (int .Values.shutdown.graceSeconds) -}}
{{- with .Values.trustedProxies }}{{ $_ := set $http "trusted_proxies" . }}{{ end -}}
{{- if .Values.tls.existingSecret -}}
{{- $_ := set $http "tls" (dict "certificate" "/etc/berth/tls/tls.crt" "key" "/etc/berth/tls/tls.key") -}}
{{- end -}}
{{- $config := dict "data_dir" "/var/lib/berth" "http" $http -}}
{{- with .Values.access.anonymous }}{{ $_ := set $config "access" (dict "anonymous" .) }}{{ end -}}
{{- if include "berth.scaled" . -}}
{{- $database := dict
      "url" .Values.database.url
      "password_file" (printf "/etc/berth/database/%s" .Values.database.existingSecretKey)
      "pool" (int .Values.database.pool)
      "prepared_statements" .Values.database.preparedStatements -}}
{{- if .Values.database.caSecret -}}
{{- $_ := set $database "ca_file" (printf "/etc/berth/database-ca/%s" .Values.database.caSecretKey) -}}
{{- end -}}
{{- $bucket := dict
      "url" .Values.bucket.url
      "region" .Values.bucket.region
      "virtual_hosted_style" .Values.bucket.virtualHostedStyle -}}
{{- if .Values.bucket.existingSecret -}}
{{- $_ := set $bucket "access_key_id_file" (printf "/etc/berth/bucket/%s" .Values.bucket.accessKeyIdKey) -}}
{{- $_ := set $bucket "secret_access_key_file" (printf "/etc/berth/bucket/%s" .Values.bucket.secretAccessKeyKey) -}}
{{- end -}}
{{- with .Values.bucket.encryption }}{{ $_ := set $bucket "encryption" . }}{{ end -}}
{{- with .Values.bucket.endpoint }}{{ $_ := set $bucket "endpoint" . }}{{ end -}}
{{- if .Values.bucket.caSecret -}}
{{- $_ := set $bucket "ca_file" (printf "/etc/berth/bucket-ca/%s" .Values.bucket.caSecretKey) -}}
{{- end -}}
{{- $storage := dict "bucket" $bucket -}}
{{- if .Values.diskCache.enabled -}}
{{- $_ := set $storage "disk_cache" (dict "directory" "/var/cache/berth" "bytes" (int64 .Values.diskCache.bytes)) -}}
{{- end -}}
{{- $_ := set $config "database" $database -}}
{{- $_ := set $config "storage" $storage -}}
{{- end -}}
{{- toYaml (mergeOverwrite $config (deepCopy .Values.config)) -}}
{{- end -}}

{{/* Names of a pod that takes a backup: no service leads to it. */}}
{{- define "berth.backupSelector" -}}
app.kubernetes.io/name: {{ include "berth.name" . }}-backup
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Variables of a pod of either kind. */}}
{{- define "berth.env" -}}
{{- if .Values.access.existingSecret -}}
- name: BERTH_ACCESS__USERS
  valueFrom:
    secretKeyRef:
      name: {{ .Values.access.existingSecret }}
      key: {{ .Values.access.existingSecretKey }}
{{- end }}
{{- with .Values.extraEnv }}{{ toYaml . | nindent 0 }}{{ end }}
{{- end -}}

{{/* Files of secrets that a pod of either kind reads. */}}
{{- define "berth.storeMounts" -}}
{{- if include "berth.scaled" . -}}
- {name: database, mountPath: /etc/berth/database, readOnly: true}
{{- if .Values.bucket.existingSecret }}
- {name: bucket, mountPath: /etc/berth/bucket, readOnly: true}
{{- end }}
{{- if .Values.database.caSecret }}
- {name: database-ca, mountPath: /etc/berth/database-ca, readOnly: true}
{{- end }}
{{- if .Values.bucket.caSecret }}
- {name: bucket-ca, mountPath: /etc/berth/bucket-ca, readOnly: true}
{{- end }}
{{- end }}
{{- end -}}

{{/* Their volumes, and that of the data. */}}
{{- define "berth.storeVolumes" -}}
{{- if include "berth.scaled" . }}
- name: data
  emptyDir: {}
- name: database
  secret: {secretName: {{ .Values.database.existingSecret }}, defaultMode: 0440}
{{- with .Values.bucket.existingSecret }}
- name: bucket
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- with .Values.database.caSecret }}
- name: database-ca
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- with .Values.bucket.caSecret }}
- name: bucket-ca
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- else }}
- name: data
  persistentVolumeClaim: {claimName: {{ .Values.persistence.existingClaim | default (include "berth.fullname" .) }}}
{{- end }}
{{- end -}}

{{/* What every pod may connect to: names, and in scaled mode the database and the object store. */}}
{{- define "berth.egress" -}}
- ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
{{- if include "berth.scaled" . }}
- ports:
    - {protocol: TCP, port: {{ .Values.networkPolicy.databasePort }}}
  {{- with .Values.networkPolicy.databaseTo }}
  to: {{- toYaml . | nindent 4 }}
  {{- end }}
- ports:
    - {protocol: TCP, port: {{ .Values.networkPolicy.bucketPort }}}
  {{- with .Values.networkPolicy.bucketTo }}
  to: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end -}}
