{{/* What the pods of all roles and of the migrations have in common. */}}

{{- define "myapp.podSettings" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{- define "myapp.containerSettings" -}}
image: {{ include "myapp.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  privileged: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end -}}

{{/* The variables that are no secret. The migrations run before the ConfigMap is there, and so
carry them themselves. */}}
{{- define "myapp.config" -}}
APP_ENV: production
DATA_DIR: /data
PORT: "8000"
GRPC_PORT: "50051"
HEALTH_PORT: "8081"
{{- range $name, $value := .Values.config }}
{{- if ne $value "" }}
{{ $name }}: {{ $value | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "myapp.secrets" -}}
{{- range list "DATABASE_URL" "REDIS_URL" "SECRET_KEY" -}}
- name: {{ . }}
  valueFrom:
    secretKeyRef: {name: {{ $.Values.existingSecret | quote }}, key: {{ . }}}
{{ end -}}
{{- range list "FIREBASE_CREDENTIALS" "AWS_ACCESS_KEY_ID" "AWS_SECRET_ACCESS_KEY" "AWS_SESSION_TOKEN" -}}
- name: {{ . }}
  valueFrom:
    secretKeyRef: {name: {{ $.Values.existingSecret | quote }}, key: {{ . }}, optional: true}
{{ end -}}
{{- end -}}

{{/* All that is ever written: DATA_DIR, and what libraries put into /tmp. */}}
{{- define "myapp.mounts" -}}
- {name: data, mountPath: /data}
- {name: tmp, mountPath: /tmp}
{{- end -}}

{{- define "myapp.volumes" -}}
- name: data
  emptyDir: {sizeLimit: 256Mi}
- name: tmp
  emptyDir: {sizeLimit: 256Mi}
{{- end -}}
