# Prints how often each word stands in the files, `count word` a line: sh count.sh sonnet-018.txt sonnet-029.txt
set -eu
export LC_ALL=C
cat "$@" |
    tr '[:upper:]' '[:lower:]' |
    tr -cs "a-z'" '\n' |       # a word a line; an apostrophe is a part of its word
    sed "s/^'*//; s/'*\$//; s/'s\$//; /^\$/d" |
    sort | uniq -c
