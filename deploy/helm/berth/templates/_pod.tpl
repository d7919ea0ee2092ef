{{/* The pod of both modes. */}}
{{- define "berth.pod" -}}
metadata:
  labels:
    {{- include "berth.labels" . | nindent 4 }}
    {{- with .Values.podLabels }}{{ toYaml . | nindent 4 }}{{ end }}
  annotations:
    # A pod reads berth.yaml at its start: another configuration makes other pods.
    checksum/config: {{ include "berth.config" . | sha256sum }}
    {{- with .Values.podAnnotations }}{{ toYaml . | nindent 4 }}{{ end }}
spec:
  serviceAccountName: {{ include "berth.serviceAccount" . }}
  automountServiceAccountToken: false
  # Variables such as BERTH_PORT would only look like configuration.
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ add .Values.shutdown.delaySeconds .Values.shutdown.graceSeconds 15 }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  securityContext: {{- toYaml .Values.podSecurityContext | nindent 4 }}
  {{- with .Values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if and (include "berth.scaled" .) .Values.topologySpread.enabled }}
  topologySpreadConstraints:
    {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: {{ $.Values.topologySpread.whenUnsatisfiable }}
      labelSelector:
        matchLabels: {{- include "berth.selector" $ | nindent 10 }}
    {{- end }}
  {{- end }}
  containers:
    - name: berth
      image: {{ include "berth.image" . | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args: [serve, --config, /etc/berth/berth.yaml]
      {{- if or .Values.access.existingSecret .Values.extraEnv }}
      env:
        {{- if .Values.access.existingSecret }}
        - name: BERTH_ACCESS__USERS
          valueFrom:
            secretKeyRef:
              name: {{ .Values.access.existingSecret }}
              key: {{ .Values.access.existingSecretKey }}
        {{- end }}
        {{- with .Values.extraEnv }}{{ toYaml . | nindent 8 }}{{ end }}
      {{- end }}
      ports:
        - name: http
          containerPort: 5000
      {{- $scheme := ternary "HTTPS" "HTTP" (not (empty .Values.tls.existingSecret)) }}
      startupProbe:
        httpGet: {path: /healthz, port: http, scheme: {{ $scheme }}}
        periodSeconds: 2
        timeoutSeconds: 2
        failureThreshold: {{ max 1 (div .Values.startupSeconds 2) }}
      livenessProbe:
        httpGet: {path: /healthz, port: http, scheme: {{ $scheme }}}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: {path: /readyz, port: http, scheme: {{ $scheme }}}
        periodSeconds: 3
        timeoutSeconds: 3
        failureThreshold: 2
      resources: {{- toYaml .Values.resources | nindent 8 }}
      securityContext: {{- toYaml .Values.securityContext | nindent 8 }}
      volumeMounts:
        - {name: config, mountPath: /etc/berth/berth.yaml, subPath: berth.yaml, readOnly: true}
        - {name: data, mountPath: /var/lib/berth}
        {{- if .Values.tls.existingSecret }}
        - {name: tls, mountPath: /etc/berth/tls, readOnly: true}
        {{- end }}
        {{- if include "berth.scaled" . }}
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
        {{- if .Values.diskCache.enabled }}
        - {name: cache, mountPath: /var/cache/berth}
        {{- end }}
        {{- end }}
  volumes:
    - name: config
      configMap: {name: {{ include "berth.fullname" . }}}
    {{- if .Values.tls.existingSecret }}
    - name: tls
      secret: {secretName: {{ .Values.tls.existingSecret }}, defaultMode: 0440}
    {{- end }}
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
    {{- if .Values.diskCache.enabled }}
    - name: cache
      {{- if .Values.diskCache.volume }}
      {{- toYaml .Values.diskCache.volume | nindent 6 }}
      {{- else }}
      emptyDir: {sizeLimit: {{ .Values.diskCache.size }}}
      {{- end }}
    {{- end }}
    {{- else }}
    - name: data
      persistentVolumeClaim: {claimName: {{ .Values.persistence.existingClaim | default (include "berth.fullname" .) }}}
    {{- end }}
{{- end -}}
