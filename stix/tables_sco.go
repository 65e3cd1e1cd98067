package stix

// observableTables are the cyber-observable types of STIX 2.1, chapter 6, with
// their predefined extensions.
const observableTables = `
sco artifact
  mime_type string
  payload_bin binary
  url string
  hashes hashes
  encryption_algorithm enum encryption-algorithm-enum
  decryption_key string
  @some payload_bin url
  @one payload_bin url
  @needs url hashes
  @needs decryption_key encryption_algorithm

sco autonomous-system
  number! int
  name string
  rir string

sco directory
  path! string
  path_enc string
  ctime time
  mtime time
  atime time
  contains_refs []ref file directory

sco domain-name
  value! string
  resolves_to_refs []ref ipv4-addr ipv6-addr domain-name

sco email-addr
  value! string
  display_name string
  belongs_to_ref ref user-account

sco email-message
  is_multipart! bool
  date time
  content_type string
  from_ref ref email-addr
  sender_ref ref email-addr
  to_refs []ref email-addr
  cc_refs []ref email-addr
  bcc_refs []ref email-addr
  message_id string
  subject string
  received_lines []string
  additional_header_fields dict
  body string
  body_multipart []struct mime-part
  raw_email_ref ref artifact

struct mime-part
  body string
  body_raw_ref ref artifact file
  content_type string
  content_disposition string
  @some body body_raw_ref

sco file
  hashes hashes
  size int 0..
  name string
  name_enc string
  magic_number_hex hex
  mime_type string
  ctime time
  mtime time
  atime time
  parent_directory_ref ref directory
  contains_refs []ref sco
  content_ref ref artifact
  @some hashes name

ext file archive-ext
  contains_refs! []ref file directory
  comment string

ext file ntfs-ext
  sid string
  alternate_data_streams []struct data-stream

struct data-stream
  name! string
  hashes hashes
  size int 0..

ext file pdf-ext
  version string
  is_optimized bool
  document_info_dict dict
  pdfid0 string
  pdfid1 string

ext file raster-image-ext
  image_height int
  image_width int
  bits_per_pixel int
  exif_tags dict

ext file windows-pebinary-ext
  pe_type! vocab windows-pebinary-type-ov
  imphash string
  machine_hex hex
  number_of_sections int 0..
  time_date_stamp time
  pointer_to_symbol_table_hex hex
  number_of_symbols int 0..
  size_of_optional_header int 0..
  characteristics_hex hex
  file_header_hashes hashes
  optional_header struct pe-optional-header
  sections []struct pe-section

struct pe-optional-header
  magic_hex hex
  major_linker_version int
  minor_linker_version int
  size_of_code int 0..
  size_of_initialized_data int 0..
  size_of_uninitialized_data int 0..
  address_of_entry_point int
  base_of_code int
  base_of_data int
  image_base int
  section_alignment int
  file_alignment int
  major_os_version int
  minor_os_version int
  major_image_version int
  minor_image_version int
  major_subsystem_version int
  minor_subsystem_version int
  win32_version_value_hex hex
  size_of_image int 0..
  size_of_headers int 0..
  checksum_hex hex
  subsystem_hex hex
  dll_characteristics_hex hex
  size_of_stack_reserve int 0..
  size_of_stack_commit int 0..
  size_of_heap_reserve int 0..
  size_of_heap_commit int 0..
  loader_flags_hex hex
  number_of_rva_and_sizes int
  hashes hashes

struct pe-section
  name! string
  size int 0..
  entropy float
  hashes hashes

sco ipv4-addr
  value! string
  resolves_to_refs []ref mac-addr
  belongs_to_refs []ref autonomous-system

sco ipv6-addr
  value! string
  resolves_to_refs []ref mac-addr
  belongs_to_refs []ref autonomous-system

sco mac-addr
  value! string

sco mutex
  name! string

sco network-traffic
  start time
  end time
  is_active bool
  src_ref ref ipv4-addr ipv6-addr mac-addr domain-name
  dst_ref ref ipv4-addr ipv6-addr mac-addr domain-name
  src_port int 0..65535
  dst_port int 0..65535
  protocols! []string
  src_byte_count int 0..
  dst_byte_count int 0..
  src_packets int 0..
  dst_packets int 0..
  ipfix dict
  src_payload_ref ref artifact
  dst_payload_ref ref artifact
  encapsulates_refs []ref network-traffic
  encapsulated_by_ref ref network-traffic
  @some src_ref dst_ref
  @order start end

ext network-traffic http-request-ext
  request_method! string
  request_value! string
  request_version string
  request_header dict
  message_body_length int
  message_body_data_ref ref artifact

ext network-traffic icmp-ext
  icmp_type_hex! hex
  icmp_code_hex! hex

ext network-traffic socket-ext
  address_family! enum network-socket-address-family-enum
  is_blocking bool
  is_listening bool
  options dict
  socket_type enum network-socket-type-enum
  socket_descriptor int 0..
  socket_handle int

ext network-traffic tcp-ext
  src_flags_hex hex
  dst_flags_hex hex

sco process
  is_hidden bool
  pid int
  created_time time
  cwd string
  command_line string
  environment_variables dict
  opened_connection_refs []ref network-traffic
  creator_user_ref ref user-account
  image_ref ref file
  parent_ref ref process
  child_refs []ref process

ext process windows-process-ext
  aslr_enabled bool
  dep_enabled bool
  priority string
  owner_sid string
  window_title string
  startup_info dict
  integrity_level enum windows-integrity-level-enum

ext process windows-service-ext
  service_name string
  descriptions []string
  display_name string
  group_name string
  start_type enum windows-service-start-type-enum
  service_dll_refs []ref file
  service_type enum windows-service-type-enum
  service_status enum windows-service-status-enum

sco software
  name! string
  cpe string
  swid string
  languages []string
  vendor string
  version string

sco url
  value! string

sco user-account
  user_id string
  credential string
  account_login string
  account_type vocab account-type-ov
  display_name string
  is_service_account bool
  is_privileged bool
  can_escalate_privs bool
  is_disabled bool
  account_created time
  account_expires time
  credential_last_changed time
  account_first_login time
  account_last_login time

ext user-account unix-account-ext
  gid int
  groups []string
  home_dir string
  shell string

sco windows-registry-key
  key string
  values []struct registry-value
  modified_time time
  creator_user_ref ref user-account
  number_of_subkeys int

struct registry-value
  name string
  data string
  data_type enum windows-registry-datatype-enum

sco x509-certificate
  is_self_signed bool
  hashes hashes
  version string
  serial_number string
  signature_algorithm string
  issuer string
  validity_not_before time
  validity_not_after time
  subject string
  subject_public_key_algorithm string
  subject_public_key_modulus string
  subject_public_key_exponent int
  x509_v3_extensions struct x509-extensions
  @some is_self_signed hashes version serial_number signature_algorithm issuer validity_not_before validity_not_after subject subject_public_key_algorithm subject_public_key_modulus subject_public_key_exponent x509_v3_extensions

struct x509-extensions
  basic_constraints string
  name_constraints string
  policy_constraints string
  key_usage string
  extended_key_usage string
  subject_key_identifier string
  authority_key_identifier string
  subject_alternative_name string
  issuer_alternative_name string
  subject_directory_attributes string
  crl_distribution_points string
  inhibit_any_policy string
  private_key_usage_period_not_before time
  private_key_usage_period_not_after time
  certificate_policies string
  policy_mappings string
`
