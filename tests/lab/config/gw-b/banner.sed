# Puts a banner above the text: behind the first empty line, that is the header's end.
0,/^\r\{0,1\}$/ {
    /^\r\{0,1\}$/ a\
CAUTION: This message came from outside the organisation. Do not follow links unless you know the sender.\

}
