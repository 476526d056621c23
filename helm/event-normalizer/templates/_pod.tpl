{{- /* What the pods of the workload and of `helm test` share. */}}

{{- define "event-normalizer.volumeMounts" -}}
- name: settings
  mountPath: /etc/event-normalizer
  readOnly: true
{{- range $name, $_ := .Values.secretFiles }}
- name: secret-{{ $name }}
  mountPath: /secrets/{{ $name }}
  readOnly: true
{{- end }}
{{- range $name, $_ := .Values.configMapFiles }}
- name: config-{{ $name }}
  mountPath: /configs/{{ $name }}
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ tpl (toYaml .) $ }}
{{- end }}
{{- end }}

{{- define "event-normalizer.volumes" -}}
- name: settings
  {{- if .Values.existingSettings.secret }}
  secret:
    secretName: {{ tpl .Values.existingSettings.secret . }}
  {{- else }}
  configMap:
    name: {{ tpl .Values.existingSettings.configMap . | default (include "event-normalizer.fullname" .) }}
  {{- end }}
{{- range $name, $secret := .Values.secretFiles }}
- name: secret-{{ $name }}
  secret:
    {{- tpl (toYaml $secret) $ | nindent 4 }}
{{- end }}
{{- range $name, $configMap := .Values.configMapFiles }}
- name: config-{{ $name }}
  configMap:
    {{- tpl (toYaml $configMap) $ | nindent 4 }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ tpl (toYaml .) $ }}
{{- end }}
{{- end }}

{{- define "event-normalizer.env" -}}
# It names the pod in the transactional ids, so that no two pods share one.
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
{{- with .Values.extraEnv }}
{{ tpl (toYaml .) $ }}
{{- end }}
{{- end }}

{{- /* A container of the program, up to what only one of them has. */}}
{{- define "event-normalizer.container" -}}
image: {{ include "event-normalizer.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
env:
  {{- include "event-normalizer.env" . | nindent 2 }}
{{- with .Values.extraEnvFrom }}
envFrom:
  {{- tpl (toYaml .) $ | nindent 2 }}
{{- end }}
{{- with .Values.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
  {{- include "event-normalizer.volumeMounts" . | nindent 2 }}
{{- end }}

{{- /* Where a pod runs, and as whom. */}}
{{- define "event-normalizer.placement" -}}
serviceAccountName: {{ include "event-normalizer.serviceAccountName" . }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.schedulerName }}
schedulerName: {{ . }}
{{- end }}
{{- with .Values.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- with .Values.hostAliases }}
hostAliases:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.dnsPolicy }}
dnsPolicy: {{ . }}
{{- end }}
{{- with .Values.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "event-normalizer.topologySpreadConstraints" -}}
{{- $revision := ternary "controller-revision-hash" "pod-template-hash" (eq .Values.kind "StatefulSet") }}
{{- $selector := include "event-normalizer.selectorLabels" . | fromYaml }}
{{- range .Values.topologySpreadConstraints }}
{{- if .labelSelector }}
- {{ toYaml . | nindent 2 | trim }}
{{- else }}
- {{ toYaml (merge (dict "labelSelector" (dict "matchLabels" $selector) "matchLabelKeys" (list $revision)) .) | nindent 2 | trim }}
{{- end }}
{{- end }}
{{- end }}
