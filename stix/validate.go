package stix

// validate checks the object against the tables of the specification.
func (c *check) validate(o *Object, bundleVersion string) {
	if o.SpecVersion == "" {
		o.SpecVersion = bundleVersion
	}
}
