{{/* What pods of API and operator are made of. */}}

{{/* Restricted Pod Security level. */}}
{{- define "vppo.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "vppo.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* Metadata of a pod template. Takes `root` and `serves`, a list. */}}
{{- define "vppo.podMetadata" -}}
annotations:
  checksum/platform: {{ include "vppo.platform" .root | sha256sum }}
  {{- with .root.Values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
labels:
  {{- include "vppo.labels" .root | nindent 2 }}
  app.kubernetes.io/component: {{ .component }}
  {{- range .serves }}
  {{- include "vppo.serves" . | nindent 2 }}
  {{- end }}
  {{- with .root.Values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* Spec of a pod, without containers. Takes `root`, `account`, `component`, `secrets`. */}}
{{- define "vppo.podSpec" -}}
{{- $v := .root.Values -}}
serviceAccountName: {{ .account }}
automountServiceAccountToken: true
enableServiceLinks: false
terminationGracePeriodSeconds: 60
securityContext:
  {{- include "vppo.podSecurity" .root | nindent 2 }}
{{- with $v.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with $v.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $v.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $v.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $v.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumes:
  - name: platform
    configMap:
      name: {{ include "vppo.fullname" .root }}-platform
  - name: tmp
    emptyDir:
      sizeLimit: 1Gi
  - name: state
    {{- if $v.state.persistence.enabled }}
    persistentVolumeClaim:
      claimName: {{ include "vppo.stateClaim" .root }}
    {{- else }}
    emptyDir: {}
    {{- end }}
  {{- if has "receiver" .serves }}
  - name: receiver
    secret:
      secretName: {{ include "vppo.receiverSecret" .root }}
      defaultMode: 0440
  {{- end }}
{{- end -}}

{{/* The database's address as an environment variable. Takes `root` and `name`. */}}
{{- define "vppo.databaseEnv" -}}
- name: {{ .name }}
  {{- if include "vppo.isOnePod" .root }}
  value: sqlite:////var/lib/vppo-control/vppo.db
  {{- else }}
  valueFrom:
    secretKeyRef:
      name: {{ include "vppo.databaseSecret" .root }}
      key: {{ .root.Values.archive.postgres.key }}
  {{- end }}
{{- end -}}

{{- define "vppo.commonEnv" -}}
- name: HOME
  value: /tmp/home
- name: TMPDIR
  value: /tmp
{{- end -}}

{{- define "vppo.commonMounts" -}}
- name: platform
  mountPath: /etc/vppo
  readOnly: true
- name: state
  mountPath: /var/lib/vppo-control
- name: tmp
  mountPath: /tmp
{{- end -}}
