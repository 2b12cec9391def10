# Sourced. npm_fetch NAME@VERSION INTEGRITY FILE: downloads one npm package's archive to FILE without installing it,
# and refuses it unless its SHA-512 is the pinned one. Does nothing when FILE is there already with the right hash.
sha512_of() { printf 'sha512-%s' "$(openssl dgst -sha512 -binary "$1" | base64 | tr -d '\n')"; }

npm_fetch() {
  local spec=$1 integrity=$2 file=$3 folder archive
  if [ -f "$file" ] && [ "$(sha512_of "$file")" = "$integrity" ]; then return 0; fi
  command -v npm >/dev/null || { echo "error: npm is needed to fetch $spec; install Node.js with npm and run this again." >&2; return 1; }
  mkdir -p "$(dirname "$file")"
  folder=$(mktemp -d "$(dirname "$file")/.fetch-XXXXXX")
  echo "  fetching npm package $spec"
  if ! archive=$(cd "$folder" && npm pack "$spec" --silent 2>"$folder/log"); then
    cat "$folder/log" >&2; rm -rf "$folder"
    echo "error: npm could not fetch $spec (see above)." >&2; return 1
  fi
  archive=$folder/$(echo "$archive" | tail -n 1)
  if [ "$(sha512_of "$archive")" != "$integrity" ]; then
    echo "error: $spec is not the expected archive: found $(sha512_of "$archive"), expected $integrity." >&2
    rm -rf "$folder"; return 1
  fi
  mv -f "$archive" "$file"
  rm -rf "$folder"
}
