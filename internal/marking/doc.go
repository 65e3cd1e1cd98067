// Package marking is the gate: labels, how they join, and who may read what carries one.
//
// It is pure. It knows no store, no clock and no network; whoever holds a [Label] and a [Reader] gets the same
// answer everywhere: inside SQL (the store interns labels and readers and computes the allowed pairs with
// [MayRead]), before an encoder (which takes only [Released] values), and in a preview.
//
// A label is a conjunction. Every input of a derived thing adds its clauses, and a reader must satisfy each of
// them, so that what is derived is never more visible than any of its inputs: MayRead(r, Join(a, b)) implies
// MayRead(r, a) and MayRead(r, b). The translation of TLP into clauses stands in one place, [New].
//
// Sources: FIRST, Traffic Light Protocol 2.0; the Permissible Actions Protocol as MISP's taxonomy has it.
package marking
