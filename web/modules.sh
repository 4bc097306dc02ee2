#!/bin/sh
# modules.sh             brings build/web/node_modules to what web/player/package-lock.json names
# modules.sh --hls FILE  writes hls.js, as a module of its own, to FILE
#
# Builds of several variants may ask at once. Failing is no catastrophe, and is said in a line.
set -eu
cd "$(dirname "$0")/.."
folder=build/web

if [ "${1:-}" = --hls ]; then
    dist=$folder/node_modules/hls.js/dist/hls.light.min.mjs
    version=$(sed -n 's/^ *"version": "\(.*\)",*/\1/p' $folder/node_modules/hls.js/package.json)
    {
        echo "/* hls.js $version, https://github.com/video-dev/hls.js, Apache-2.0 */"
        sed '/^\/\/# sourceMappingURL=/d' "$dist"
    } >"$2"
    exit
fi

mkdir -p $folder
exec 9>$folder/lock
flock 9
cmp -s web/player/package-lock.json $folder/installed && exit
if ! command -v npm >/dev/null; then
    echo "web: without npm there is no hls.js: browsers without HLS of their own have WebRTC only" >&2
    exit 1
fi
cp web/player/package.json web/player/package-lock.json $folder/
if ! (cd $folder && timeout 120 npm ci --no-audit --no-fund --ignore-scripts --prefer-offline \
    --fetch-retries=1 --fetch-timeout=20000) >$folder/log 2>&1 9>&-; then
    echo "web: npm could not bring hls.js ($folder/log says why): browsers without HLS of their own" \
        "have WebRTC only; after 'rm -r build/*/gen/web' make tries again" >&2
    exit 1
fi
cp web/player/package-lock.json $folder/installed
