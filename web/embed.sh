#!/bin/sh
# embed.sh FILE...: each file and its gzip, as C on standard output, for server/web.c. An empty file
# is left out. The gzip is put beside the file, because the assembler reads both from where they are.
set -eu
rows=

bytes() {
    printf '__asm__(".section .rodata\\n%s: .incbin \\"%s\\"\\n%s_end:\\n.previous");\n' \
        "web_$1" "$2" "web_$1"
    printf 'extern const uint8_t web_%s[], web_%s_end[];\n' "$1" "$1"
}

for file in "$@"; do
    [ -s "$file" ] || continue
    name=$(basename "$file")
    symbol=$(printf %s "$name" | tr -c 'a-z0-9' _)
    gzip -9nc "$file" >"$file.gz"
    hash=$(sha256sum "$file" | cut -c1-16)
    bytes "$symbol" "$(realpath "$file")"
    bytes "${symbol}_gz" "$(realpath "$file.gz")"
    rows="$rows    {\"$name\", \"\\\\\"$hash\\\\\"\", \"\\\\\"$hash-gz\\\\\"\",
     web_$symbol, web_${symbol}_end, web_${symbol}_gz, web_${symbol}_gz_end},
"
done
printf 'static const struct web_asset assets[] = {\n%b};\n' "$rows"
