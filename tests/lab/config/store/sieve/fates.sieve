# What becomes of a message in the store is told by the local part of its recipient.
require ["envelope", "fileinto", "mailbox", "special-use", "vacation", "vacation-seconds", "copy"];

if allof (header :is "X-Spam-Flag" "YES", envelope :localpart "to" "guarded") {
    fileinto "Held for review";
} elsif anyof (header :is "X-Spam" "Yes", header :is "X-Spam-Flag" "YES") {
    fileinto :specialuse "\\Junk" "Junk";
} elsif envelope :localpart "to" "junk" {
    fileinto :specialuse "\\Junk" "Junk";
} elsif envelope :localpart "to" "folder" {
    fileinto "Alerts";
} elsif envelope :localpart "to" "deleted" {
    fileinto :specialuse "\\Trash" "Trash";
} elsif envelope :localpart "to" "lost" {
    discard;
} elsif envelope :localpart "to" "vacation" {
    # Zero seconds: every message is answered, not only the first of each sender (RFC 6131).
    vacation :seconds 0 :subject "Out of the office" "I am away until Monday. Urgent matters: it@contoso.example.";
}
