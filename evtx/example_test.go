package evtx_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"strings"

	"vigil/evtx"
)

// Reading a log to its end, past what is damaged.
func Example() {
	data := evtx.SampleLog() // in a program: an *os.File and its size
	r, err := evtx.NewReader(bytes.NewReader(data), int64(len(data)), evtx.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for {
		rec, err := r.Next()
		if err == io.EOF {
			break
		}
		var damage *evtx.Damage
		if errors.As(err, &damage) {
			log.Print(damage)
			continue
		}
		if err != nil {
			log.Fatal(err)
		}
		cmd, _ := rec.Get("CommandLine")
		fmt.Printf("%d %s %s %s: %s\n", rec.ID, rec.Time.Format("15:04:05"), rec.System("Channel"), rec.System("EventID"), cmd.Bytes())
	}
	// Output:
	// 1 08:30:12 Security 4688: whoami /all
	// 2 08:30:12 Security 4688: ping ws-02.halvern.example
}

// Fields come in the order of the event's XML.
func ExampleRecord_Fields() {
	data := evtx.SampleLog()
	r, err := evtx.NewReader(bytes.NewReader(data), int64(len(data)), evtx.Options{})
	if err != nil {
		log.Fatal(err)
	}
	rec, err := r.Next()
	if err != nil {
		log.Fatal(err)
	}
	for name, value := range rec.All() {
		if value.Section() == evtx.SectionEventData && strings.HasSuffix(name, "Name") {
			fmt.Printf("%s = %s\n", name, value.Bytes())
		}
	}
	// Output:
	// SubjectUserName = a.velten
	// NewProcessName = C:\Windows\System32\cmd.exe
	// ParentProcessName = C:\Windows\explorer.exe
	// TargetUserName = -
}

// A chunk whose checksum is wrong is named, and its records are marked.
func ExampleDamage() {
	data := evtx.SampleLog()
	// Somebody edits the log in place.
	data = bytes.Replace(data, []byte("p\x00i\x00n\x00g\x00"), []byte("p\x00o\x00n\x00g\x00"), 1)
	r, err := evtx.NewReader(bytes.NewReader(data), int64(len(data)), evtx.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for {
		rec, err := r.Next()
		if err == io.EOF {
			break
		}
		var damage *evtx.Damage
		if errors.As(err, &damage) {
			fmt.Println(damage.Kind, damage.Chunk)
			continue
		}
		fmt.Println("record", rec.ID, "suspect:", rec.Suspect)
	}
	// Output:
	// checksum 0
	// record 1 suspect: true
	// record 2 suspect: true
}
