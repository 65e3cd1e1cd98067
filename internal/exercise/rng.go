package exercise

// rng is splitmix64 (Steele, Lea, Flood 2014). It is written out because the sequence must stay the same under
// every version of the standard library.
type rng uint64

func (r *rng) next() uint64 {
	*r += 0x9e3779b97f4a7c15
	z := uint64(*r)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// n gives a number from 0 to n-1; n must be positive. The bias, below n/2^32, is of no matter here.
func (r *rng) n(n int) int { return int((r.next() >> 32) * uint64(n) >> 32) }

// in gives a number from lo to hi, both included.
func (r *rng) in(lo, hi int) int { return lo + r.n(hi-lo+1) }

func pick[T any](r *rng, from []T) T { return from[r.n(len(from))] }

// weighted picks an index, each as often as its weight says.
func (r *rng) weighted(w []int) int {
	total := 0
	for _, x := range w {
		total += x
	}
	k := r.n(total)
	for i, x := range w {
		if k -= x; k < 0 {
			return i
		}
	}
	return len(w) - 1
}
