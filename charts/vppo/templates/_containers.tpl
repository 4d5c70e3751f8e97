{{/* The two programs. */}}

{{- define "vppo.apiContainer" -}}
name: api
image: {{ include "vppo.image" (dict "image" .Values.image "root" .) }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
command: [python, -m, vppo_services.api]
env:
  {{- include "vppo.commonEnv" . | nindent 2 }}
  - name: API_JOB_STORE
    value: kube
  - name: API_HOST
    value: 0.0.0.0
  - name: API_PORT
    value: "8080"
  - name: API_NAMESPACE
    value: {{ include "vppo.defaultNamespace" . }}
  - name: API_NAMESPACES
    value: {{ include "vppo.namespaces" . | fromJsonArray | join "," | quote }}
  - name: API_STATE
    value: /var/lib/vppo-control
  - name: API_PLATFORM
    value: /etc/vppo/platform.yaml
  {{- include "vppo.databaseEnv" (dict "root" . "name" "API_DATABASE") | nindent 2 }}
  {{- with .Values.api.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .Values.api.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  - name: http
    containerPort: 8080
# Starting includes the upgrade of the archive's tables.
startupProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 2
  timeoutSeconds: 5
  failureThreshold: 150
livenessProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: http}
  periodSeconds: 5
  timeoutSeconds: 5
resources:
  {{- toYaml .Values.api.resources | nindent 2 }}
securityContext:
  {{- include "vppo.containerSecurity" . | nindent 2 }}
volumeMounts:
  {{- include "vppo.commonMounts" . | nindent 2 }}
{{- end -}}

{{- define "vppo.operatorContainer" -}}
name: operator
image: {{ include "vppo.image" (dict "image" .Values.image "root" .) }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
command: [python, -m, vppo_operator]
env:
  {{- include "vppo.commonEnv" . | nindent 2 }}
  - name: OPERATOR_NAMESPACES
    value: {{ include "vppo.namespaces" . | fromJsonArray | join "," | quote }}
  - name: OPERATOR_PLATFORM_FILE
    value: /etc/vppo/platform.yaml
  - name: OPERATOR_STATE
    value: /var/lib/vppo-control
  {{- include "vppo.databaseEnv" (dict "root" . "name" "OPERATOR_DATABASE_URL") | nindent 2 }}
  - name: OPERATOR_RECEIVER_PORT
    value: "8443"
  - name: OPERATOR_RECEIVER_CERT_FILE
    value: /etc/vppo-receiver/tls.crt
  - name: OPERATOR_RECEIVER_KEY_FILE
    value: /etc/vppo-receiver/tls.key
  - name: OPERATOR_METRICS_PORT
    value: "9090"
  - name: OPERATOR_LEASE
    value: {{ gt (int .Values.operator.replicas) 1 | quote }}
  - name: OPERATOR_LEASE_NAMESPACE
    value: {{ .Release.Namespace }}
  - name: OPERATOR_IDENTITY
    valueFrom:
      fieldRef:
        fieldPath: metadata.name
  {{- with .Values.operator.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .Values.operator.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  - name: receiver
    containerPort: 8443
  - name: metrics
    containerPort: 9090
startupProbe:
  httpGet: {path: /healthz, port: metrics}
  periodSeconds: 2
  timeoutSeconds: 5
  failureThreshold: 150
livenessProbe:
  httpGet: {path: /healthz, port: metrics}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: metrics}
  periodSeconds: 5
  timeoutSeconds: 5
resources:
  {{- toYaml .Values.operator.resources | nindent 2 }}
securityContext:
  {{- include "vppo.containerSecurity" . | nindent 2 }}
volumeMounts:
  {{- include "vppo.commonMounts" . | nindent 2 }}
  - name: receiver
    mountPath: /etc/vppo-receiver
    readOnly: true
{{- end -}}
