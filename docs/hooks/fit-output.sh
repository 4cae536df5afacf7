#!/bin/sh
# PostToolUse: what the Bash tool printed, as far as it fits; the whole is kept by ctx.
input=$(cat)
from() { printf '%s' "$input" | jq -rj "$1"; }
# Claude Code moves a very long output into a file and shows its beginning.
file=$(from '.tool_response.persistedOutputPath // ""')
[ -n "$file" ] || [ "$(from '.tool_response.stdout // "" | length')" -gt 8000 ] || exit 0
if [ -n "$file" ]; then fitted=$(ctx compress --max-tokens 2000 "$file") || exit 0
else fitted=$(from '.tool_response.stdout' | ctx compress --max-tokens 2000) || exit 0; fi
printf '%s' "$input" | jq --arg fitted "$fitted" '{hookSpecificOutput: {
  hookEventName: "PostToolUse",
  updatedToolOutput: (.tool_response | del(.persistedOutputPath, .persistedOutputSize) | .stdout = $fitted)}}'
