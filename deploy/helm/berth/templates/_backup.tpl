{{/* The pod of a backup: first the backup, then, if that went well, what is too old goes. */}}
{{- define "berth.backupPod" -}}
metadata:
  labels:
    {{- include "berth.backupSelector" . | nindent 4 }}
    {{- with .Values.podLabels }}{{ toYaml . | nindent 4 }}{{ end }}
spec:
  restartPolicy: Never
  serviceAccountName: {{ include "berth.serviceAccount" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext: {{- toYaml .Values.podSecurityContext | nindent 4 }}
  {{- with .Values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if not (include "berth.scaled" .) }}
  # A volume that one node at a time may mount is mounted on the node of the registry's pod.
  affinity:
    podAffinity:
      requiredDuringSchedulingIgnoredDuringExecution:
        - topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels: {{- include "berth.selector" . | nindent 14 }}
  {{- end }}
  {{- if .Values.backup.keep }}
  initContainers:
    - name: backup
      args: {{- include "berth.backupArguments" (dict "root" . "command" (list "backup") "rest" (list "--config" "/etc/berth/berth.yaml")) | nindent 8 }}
      {{- include "berth.backupContainer" . | nindent 6 }}
  containers:
    - name: prune
      args: {{- include "berth.backupArguments" (dict "root" . "command" (list "backup" "prune") "rest" (list "--keep" (toString .Values.backup.keep))) | nindent 8 }}
      {{- include "berth.backupContainer" . | nindent 6 }}
  {{- else }}
  containers:
    - name: backup
      args: {{- include "berth.backupArguments" (dict "root" . "command" (list "backup") "rest" (list "--config" "/etc/berth/berth.yaml")) | nindent 8 }}
      {{- include "berth.backupContainer" . | nindent 6 }}
  {{- end }}
  volumes:
    - name: config
      configMap: {name: {{ include "berth.fullname" . }}}
    {{- include "berth.storeVolumes" . | trim | nindent 4 }}
    {{- with .Values.backup.existingSecret }}
    - name: backup
      secret: {secretName: {{ . }}, defaultMode: 0440}
    {{- end }}
    {{- with .Values.backup.caSecret }}
    - name: backup-ca
      secret: {secretName: {{ . }}, defaultMode: 0440}
    {{- end }}
{{- end -}}

{{- define "berth.backupContainer" -}}
image: {{ include "berth.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- with (include "berth.env" .) }}
env: {{- . | nindent 2 }}
{{- end }}
resources: {{- toYaml .Values.backup.resources | nindent 2 }}
securityContext: {{- toYaml .Values.securityContext | nindent 2 }}
volumeMounts:
  - {name: config, mountPath: /etc/berth/berth.yaml, subPath: berth.yaml, readOnly: true}
  - {name: data, mountPath: /var/lib/berth}
  {{- with (include "berth.storeMounts" .) }}{{ . | nindent 2 }}{{ end }}
  {{- if .Values.backup.existingSecret }}
  - {name: backup, mountPath: /etc/berth/backup, readOnly: true}
  {{- end }}
  {{- if .Values.backup.caSecret }}
  - {name: backup-ca, mountPath: /etc/berth/backup-ca, readOnly: true}
  {{- end }}
{{- end -}}

{{- define "berth.backupArguments" -}}
{{- $backup := .root.Values.backup -}}
{{- $arguments := concat .command (list $backup.url "--region" $backup.region) -}}
{{- with $backup.endpoint }}{{ $arguments = concat $arguments (list "--endpoint" .) }}{{ end -}}
{{- if $backup.virtualHostedStyle }}{{ $arguments = append $arguments "--virtual-hosted-style" }}{{ end -}}
{{- if $backup.existingSecret -}}
{{- $arguments = concat $arguments (list "--access-key-id-file" (printf "/etc/berth/backup/%s" $backup.accessKeyIdKey)) -}}
{{- $arguments = concat $arguments (list "--secret-access-key-file" (printf "/etc/berth/backup/%s" $backup.secretAccessKeyKey)) -}}
{{- end -}}
{{- if $backup.caSecret }}{{ $arguments = concat $arguments (list "--ca-file" (printf "/etc/berth/backup-ca/%s" $backup.caSecretKey)) }}{{ end -}}
{{- toYaml (concat $arguments .rest) -}}
{{- end -}}
