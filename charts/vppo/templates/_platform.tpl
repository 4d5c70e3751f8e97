{{/* The platform: what values say, and in `cluster` what follows from the rest of the values. */}}
{{- define "vppo.platform" -}}
{{- $name := include "vppo.fullname" . -}}
{{- $mlflow := .Values.mlflow.uri -}}
{{- if .Values.mlflow.enabled -}}
{{- $mlflow = printf "http://%s-mlflow.%s.svc:5000" $name .Release.Namespace -}}
{{- end -}}
{{- $claim := .Values.storage.existingClaim -}}
{{- if .Values.storage.create -}}
{{- $claim = .Values.storage.name -}}
{{- end -}}
{{- $follows := dict
  "image" (include "vppo.image" (dict "image" .Values.jobImage "root" .))
  "imagePullPolicy" .Values.jobImage.pullPolicy
  "imagePullSecrets" .Values.imagePullSecrets
  "serviceAccount" (include "vppo.jobAccount" .)
  "storage" (dict "claim" $claim)
  "receiver" (dict
    "url" (printf "https://%s-operator.%s.svc:8443" $name .Release.Namespace)
    "caFile" "/etc/vppo-receiver/ca.crt")
  "mlflowUri" $mlflow
  "networkPolicy" .Values.networkPolicy.enabled
-}}
{{- $platform := deepCopy .Values.platform -}}
{{- $_ := set $platform "cluster" (mustMergeOverwrite $follows (default dict $platform.cluster)) -}}
{{- toYaml $platform -}}
{{- end -}}

{{- define "vppo.usesKueue" -}}
{{- if dig "kueue" false (default dict .Values.platform.cluster) }}true{{ end -}}
{{- end -}}
