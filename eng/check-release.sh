#!/usr/bin/env bash
# eng/check-release.sh TAG: whether this commit may be released as TAG: the tag is the version's, the changelog has a dated
# section for it, the repository's address is set, and what is public is all in the listings of what has shipped.
set -euo pipefail
[ $# = 1 ] || { echo "usage: eng/check-release.sh TAG" >&2; exit 2; }
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
wrong=0
problem() { echo "error: $1" >&2; wrong=1; }

property() { sed -n "s|.*<$1>\(.*\)</$1>.*|\1|p" Directory.Build.props; }
version=$(property Version)
[ "$1" = "v$version" ] || problem "the tag is $1, but Directory.Build.props has version $version (tag v$version)."
grep -qE "^## ${version//./\\.} \([0-9]{4}-[0-9]{2}-[0-9]{2}\)$" CHANGELOG.md \
  || problem "CHANGELOG.md has no line '## $version (YYYY-MM-DD)'."
[ -n "$(property ProjectAddress)" ] || problem "ProjectAddress in Directory.Build.props is empty: packages need the repository's address."
case $version in
  *-*) ;; # nothing is promised by a preview
  *) for list in src/*/PublicAPI.Unshipped.txt; do
       ! grep -qv '^#nullable enable$' "$list" || problem "$list is not empty: move its lines to PublicAPI.Shipped.txt."
     done ;;
esac
[ $wrong = 0 ] && echo "ready to be released as $1"
exit $wrong
