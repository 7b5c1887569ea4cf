# Adds up what count.sh wrote and draws the most frequent words of four letters or more: sh merge.sh words.txt chart.txt counts.*.txt
set -eu
export LC_ALL=C
words=$1 chart=$2
shift 2
cat "$@" |
    awk '{ count[$2] += $1 } END { for (word in count) printf "%5d %s\n", count[word], word }' |
    sort -k1,1nr -k2 > "$words"
awk '{ n += $1 } END { print n " words, " NR " different ones\n" }' "$words" > "$chart"
awk 'length($2) >= 4 && shown < 15 {
    bar = sprintf("%*s", $1, "")
    gsub(/ /, "#", bar)
    printf "%10s %3d %s\n", $2, $1, bar
    shown++
}' "$words" >> "$chart"
cat "$chart"
