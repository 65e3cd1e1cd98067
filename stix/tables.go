package stix

// The tables of STIX 2.1 that validation reads. A line without indent opens a
// shape:
//
//	sdo NAME, sro NAME, sco NAME, meta NAME   an object type
//	struct NAME                              a value inside others
//	ext NAME                                 an extension of the type before it
//
// An indented line is a property: its name, "!" when it is required, and its
// kind, "[]" before it for a list:
//
//	string, bool, time, millis (a time with three or more fractional digits),
//	hex, binary, hashes, dict, any
//	int and float, with bounds MIN..MAX, either of which may be absent
//	vocab NAME (values outside it are advice), enum NAME (a violation)
//	ref TYPE..., with sdo, sco, sro for any type of that kind, * for any at
//	all and -TYPE for one that is excluded
//	struct NAME
//
// or, with a leading @, a rule over several properties:
//
//	@order A B     B is not before A          @after A B   B is later than A
//	@some A B...   one or more of them        @one A B...  not two of them
//	@needs A B...  A asks for all the others
const coreTables = `
common sdo
  spec_version! enum spec-version-enum
  created_by_ref ref identity
  created! millis
  modified! millis
  revoked bool
  labels []string
  confidence int 0..100
  lang string
  external_references []struct external-reference
  object_marking_refs []ref marking-definition
  granular_markings []struct granular-marking
  extensions any
  @order created modified

common sco
  spec_version enum spec-version-enum
  object_marking_refs []ref marking-definition
  granular_markings []struct granular-marking
  defanged bool
  extensions any

struct external-reference
  source_name! string
  description string
  url string
  hashes hashes
  external_id string
  @some description url external_id

struct kill-chain-phase
  kill_chain_name! string
  phase_name! string

struct granular-marking
  lang string
  marking_ref ref marking-definition
  selectors! []string
  @some lang marking_ref
  @one lang marking_ref

sdo attack-pattern
  name! string
  description string
  aliases []string
  kill_chain_phases []struct kill-chain-phase

sdo campaign
  name! string
  description string
  aliases []string
  first_seen time
  last_seen time
  objective string
  @order first_seen last_seen

sdo course-of-action
  name! string
  description string

sdo grouping
  name string
  description string
  context! vocab grouping-context-ov
  object_refs! []ref *

sdo identity
  name! string
  description string
  roles []string
  identity_class vocab identity-class-ov
  sectors []vocab industry-sector-ov
  contact_information string

sdo incident
  name! string
  description string
  kill_chain_phases []struct kill-chain-phase

sdo indicator
  name string
  description string
  indicator_types []vocab indicator-type-ov
  pattern! string
  pattern_type! vocab pattern-type-ov
  pattern_version string
  valid_from! time
  valid_until time
  kill_chain_phases []struct kill-chain-phase
  @after valid_from valid_until

sdo infrastructure
  name! string
  description string
  infrastructure_types []vocab infrastructure-type-ov
  aliases []string
  kill_chain_phases []struct kill-chain-phase
  first_seen time
  last_seen time
  @order first_seen last_seen

sdo intrusion-set
  name! string
  description string
  aliases []string
  first_seen time
  last_seen time
  goals []string
  resource_level vocab attack-resource-level-ov
  primary_motivation vocab attack-motivation-ov
  secondary_motivations []vocab attack-motivation-ov
  @order first_seen last_seen

sdo location
  name string
  description string
  latitude float -90..90
  longitude float -180..180
  precision float 0..
  region vocab region-ov
  country string
  administrative_area string
  city string
  street_address string
  postal_code string
  @some region country latitude
  @needs latitude longitude
  @needs longitude latitude
  @needs precision latitude longitude

sdo malware
  name string
  description string
  malware_types []vocab malware-type-ov
  is_family! bool
  aliases []string
  kill_chain_phases []struct kill-chain-phase
  first_seen time
  last_seen time
  operating_system_refs []ref software
  architecture_execution_envs []vocab processor-architecture-ov
  implementation_languages []vocab implementation-language-ov
  capabilities []vocab malware-capabilities-ov
  sample_refs []ref artifact file
  @order first_seen last_seen

sdo malware-analysis
  product! string
  version string
  host_vm_ref ref software
  operating_system_ref ref software
  installed_software_refs []ref software
  configuration_version string
  modules []string
  analysis_engine_version string
  analysis_definition_version string
  submitted time
  analysis_started time
  analysis_ended time
  result_name string
  result vocab malware-result-ov
  analysis_sco_refs []ref sco
  sample_ref ref sco
  @some result analysis_sco_refs
  @order analysis_started analysis_ended

sdo note
  abstract string
  content! string
  authors []string
  object_refs! []ref *

sdo observed-data
  first_observed! time
  last_observed! time
  number_observed! int 1..999999999
  objects any
  object_refs []ref sco sro
  @order first_observed last_observed
  @some objects object_refs
  @one objects object_refs

sdo opinion
  explanation string
  authors []string
  opinion! enum opinion-enum
  object_refs! []ref *

sdo report
  name! string
  description string
  report_types []vocab report-type-ov
  published! time
  object_refs! []ref *

sdo threat-actor
  name! string
  description string
  threat_actor_types []vocab threat-actor-type-ov
  aliases []string
  first_seen time
  last_seen time
  roles []vocab threat-actor-role-ov
  goals []string
  sophistication vocab threat-actor-sophistication-ov
  resource_level vocab attack-resource-level-ov
  primary_motivation vocab attack-motivation-ov
  secondary_motivations []vocab attack-motivation-ov
  personal_motivations []vocab attack-motivation-ov
  @order first_seen last_seen

sdo tool
  name! string
  description string
  tool_types []vocab tool-type-ov
  aliases []string
  kill_chain_phases []struct kill-chain-phase
  tool_version string

sdo vulnerability
  name! string
  description string

sro relationship
  relationship_type! string
  description string
  source_ref! ref * -bundle -language-content -marking-definition -relationship -sighting
  target_ref! ref * -bundle -language-content -marking-definition -relationship -sighting
  start_time time
  stop_time time
  @after start_time stop_time

sro sighting
  description string
  first_seen time
  last_seen time
  count int 0..999999999
  sighting_of_ref! ref sdo
  observed_data_refs []ref observed-data
  where_sighted_refs []ref identity location
  summary bool
  @order first_seen last_seen

meta marking-definition
  -modified -revoked -labels -confidence -lang
  name string
  definition_type string
  definition any

meta extension-definition
  -confidence -lang
  created_by_ref! ref identity
  name! string
  description string
  schema! string
  version! string
  extension_types! []enum extension-type-enum
  extension_properties []string

meta language-content
  -lang
  object_ref! ref * -bundle
  object_modified time
  contents! dict
`

// extensionTables are the shapes of extensions that are known here, beside the
// predefined ones of the cyber-observable types: the TLP 2.0 and PAP markings
// and the incident suite of the OASIS common object repository.
const extensionTables = `
ext marking-definition extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d
  tlp_2_0! enum tlp2-enum

ext marking-definition extension-definition--f8d78575-edfd-406e-8e84-6162a8450f5b
  pap! enum pap-enum

ext incident extension-definition--ef765651-680c-498d-9894-99799f2fa126
  determination! enum incident-determination-enum
  investigation_status! string
  incident_types []string
  criticality int 0..100
  detection_methods []string
  recoverability enum recoverability-enum
  impacted_entity_counts dict
  impact_refs []ref impact
  events []struct event-sequence
  tasks []struct task-sequence
  scores []struct incident-score

struct incident-score
  name! string
  value! float
  description string

struct event-sequence
  event_ref! ref event
  sequence_start bool
  next_steps []struct event-step

struct event-step
  event_ref! ref event
  condition_type! enum condition-type-enum
  transition_type! enum transition-type-enum

struct task-sequence
  task_ref! ref task
  sequence_start bool
  next_steps []struct task-step

struct task-step
  task_ref! ref task
  condition_type! enum condition-type-enum
  transition_type! enum transition-type-enum

struct state-change
  state_change_type! string
  initial_ref ref *
  result_ref ref *
  @some initial_ref result_ref

struct entity-count
  entity_type! string
  count! int 0..
  precise_within int

sdo event
  name string
  description string
  event_types []string
  status! enum event-status-enum
  goal string
  changed_objects []struct state-change
  start_time time
  start_time_fidelity enum time-fidelity-enum
  end_time time
  end_time_fidelity enum time-fidelity-enum
  sighting_refs []ref sighting
  subevents []struct event-sequence
  next_event_refs []ref event
  @order start_time end_time

sdo task
  name string
  description string
  task_types []vocab task-type-ov
  outcome! enum task-outcome-enum
  changed_objects []struct state-change
  due_date time
  start_time time
  start_time_fidelity enum time-fidelity-enum
  end_time time
  end_time_fidelity enum time-fidelity-enum
  error string
  priority int 0..100
  impacted_entity_counts any
  subtasks []struct task-sequence
  next_task_refs []ref task
  @order start_time end_time

sdo impact
  impact_category! string
  criticality int 0..100
  description string
  end_time time
  end_time_fidelity enum time-fidelity-enum
  impacted_entity_counts dict
  impacted_refs []ref *
  recoverability enum recoverability-enum
  start_time time
  start_time_fidelity enum time-fidelity-enum
  superseded_by_ref ref impact
  @order start_time end_time
  @needs superseded_by_ref end_time

ext impact availability-ext
  availability_impact! int 0..100

ext impact confidentiality-ext
  information_type string
  loss_type! enum loss-type-enum
  record_count int 0..
  record_size int 0..

ext impact external-ext
  impact_type! string

ext impact integrity-ext
  alteration! enum alteration-enum
  information_type string
  record_count int 0..
  record_size int 0..

ext impact monetary-ext
  variety! string
  conversion_rate float 0..
  conversion_time time
  currency string
  currency_actual string
  max_amount float 0..
  min_amount float 0..
  @needs min_amount max_amount currency
  @needs max_amount min_amount currency
  @needs conversion_rate conversion_time currency_actual

ext impact physical-ext
  impact_type! enum physical-impact-enum
  asset_type string

ext impact traceability-ext
  traceability_impact! enum traceability-enum
`
