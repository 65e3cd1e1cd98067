package sigma

type compiledCorrelation struct{ c *Correlation }

// Window is the span of a correlation.
type Window struct{}

func (e *Engine) compileCorrelations(rs *RuleSet, byRef map[string]*compiledRule) []*RuleError {
	return nil
}
