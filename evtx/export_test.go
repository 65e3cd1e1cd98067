package evtx

// SampleLog is a log of two events for the examples.
func SampleLog() []byte {
	w := newChunk()
	w.record(1, testTime, event(1, 4688, process(`whoami /all`)), "4688")
	w.record(2, testTime, event(2, 4688, process(`ping ws-02.halvern.example`)), "4688")
	return fileBytes(0, 1, w.bytes())
}
