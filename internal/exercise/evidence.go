package exercise

import (
	"strings"
	"time"
)

// ImageFile is the disk image of HA-OPS-07 that the response firm brings tonight, in the small.
const ImageFile = "HA-OPS-07-disk.img"

// MailboxFile is last month's export of the pilots' mailbox.
const MailboxFile = "mailbox-export.mbox"

// EvidenceFile gives the bytes of an item of evidence that the scripts name, and whether there is one of that name.
// The image is 256 KiB of filling in which the few readable things lie that an analyst would look for.
func EvidenceFile(name string, start time.Time) ([]byte, bool) {
	switch name {
	case ImageFile:
		b := make([]byte, 0, 256<<10)
		r := newRng(7)
		finds := map[int]string{
			0:   "EXERCISE DISK IMAGE HA-OPS-07\x00",
			91:  freshPath + "\x00" + symbols + "\x00",
			140: taskName + "\x00",
			203: `C:\Users\Public\SLUICE-README.txt` + "\x00",
		}
		for block := range 256 {
			at := len(b)
			for len(b)-at < 1<<10 {
				b = append(b, byte(r.next()>>56))
			}
			copy(b[at:], finds[block])
		}
		return b, true
	case MailboxFile:
		paid := start.Add(-LastMonth().FirstEvent).UTC()
		return []byte(strings.Join([]string{
			"From slots@pilots.halvern.example " + paid.Format(time.ANSIC),
			"From: Pilots' booking <slots@pilots.halvern.example>",
			"To: agents@quayside.example",
			"Subject: Invoice for berth 4, new account",
			"X-Originating-IP: 203.0.113.201",
			"",
			"Please pay this and all later invoices to the account below.",
			"",
			"From rules@pilots.halvern.example " + paid.Add(11*time.Minute).Format(time.ANSIC),
			"Subject: Rule created: forward where subject holds \"invoice\" to berths@quay-login.example",
			"X-Originating-IP: 203.0.113.201",
			"",
			"(made by the mailbox itself)",
			"",
		}, "\n")), true
	}
	return nil, false
}
