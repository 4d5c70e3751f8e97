{{/* Spec of a claim. Takes size, storageClass and accessMode. */}}
{{- define "vppo.claimSpec" -}}
accessModes: [{{ .accessMode }}]
{{- with .storageClass }}
storageClassName: {{ . }}
{{- end }}
resources:
  requests:
    storage: {{ .size }}
{{- end -}}
