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
      {{- with (include "berth.env" .) }}
      env: {{- . | nindent 8 }}
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
        {{- with (include "berth.storeMounts" .) }}{{ . | nindent 8 }}{{ end }}
        {{- if and (include "berth.scaled" .) .Values.diskCache.enabled }}
        - {name: cache, mountPath: /var/cache/berth}
        {{- end }}
  volumes:
    - name: config
      configMap: {name: {{ include "berth.fullname" . }}}
    {{- if .Values.tls.existingSecret }}
    - name: tls
      secret: {secretName: {{ .Values.tls.existingSecret }}, defaultMode: 0440}
    {{- end }}
    {{- include "berth.storeVolumes" . | trim | nindent 4 }}
    {{- if and (include "berth.scaled" .) .Values.diskCache.enabled }}
    - name: cache
      {{- if .Values.diskCache.volume }}
      {{- toYaml .Values.diskCache.volume | nindent 6 }}
      {{- else }}
      emptyDir: {sizeLimit: {{ .Values.diskCache.size }}}
      {{- end }}
    {{- end }}
{{- end -}}
