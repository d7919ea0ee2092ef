//! A directory (`slapd`): a directory with a few people and groups, over plain LDAP, `StartTLS` and LDAPS with a private authority.

use std::io::Write as _;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use parking_lot::Mutex;

use crate::authority::authority;
use crate::guard::Guard;
use crate::patience::wait_for;
use crate::port::free_port;
use crate::program::{complaint, find, log_end, run};

const SETTINGS: &str = "
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
TLSCACertificateFile DIRECTORY/ca.crt
TLSCertificateFile DIRECTORY/server.crt
TLSCertificateKeyFile DIRECTORY/server.key
pidfile DIRECTORY/pid
database mdb
suffix dc=example,dc=com
rootdn cn=admin,dc=example,dc=com
rootpw admin-password
directory DIRECTORY/data
index objectClass eq
index uid,cn,member eq
overlay memberof
access to attrs=userPassword by self =xw by anonymous auth by * none
access to * by users read by * none
";

/// What is in it at first. Everybody's password is the name and `-password`.
const PEOPLE: &str = "
dn: dc=example,dc=com
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: ou=people,dc=example,dc=com
objectClass: organizationalUnit
ou: people

dn: ou=groups,dc=example,dc=com
objectClass: organizationalUnit
ou: groups

dn: cn=berth,dc=example,dc=com
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: berth
userPassword: berth-password

dn: uid=alice,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: alice
cn: Alice Arnold
sn: Arnold
mail: alice@example.com
userPassword: alice-password

dn: uid=bob,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: bob
cn: Bob Brown
sn: Brown
userPassword: bob-password

dn: uid=o'neil (x)*,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: o'neil (x)*
cn: Odd O'Neil
sn: O'Neil
userPassword: odd-password

dn: cn=builders,ou=groups,dc=example,dc=com
objectClass: groupOfNames
cn: builders
member: uid=alice,ou=people,dc=example,dc=com

dn: cn=engineers,ou=groups,dc=example,dc=com
objectClass: groupOfNames
cn: engineers
member: cn=builders,ou=groups,dc=example,dc=com

dn: cn=auditors,ou=groups,dc=example,dc=com
objectClass: groupOfNames
cn: auditors
member: uid=bob,ou=people,dc=example,dc=com
";

/// A directory below `dc=example,dc=com`.
#[derive(Debug)]
pub struct Slapd {
    port: u16,
    tls_port: u16,
    process: Mutex<Option<Child>>,
    // Last: it removes the directory.
    guard: Guard,
}

impl Slapd {
    /// Starts a directory with Alice in the group of builders, which is in that of engineers, and Bob in that of auditors.
    pub fn start() -> Self {
        let guard = Guard::new("slapd");
        let directory = guard.directory();
        std::fs::create_dir(directory.join("data")).expect("a directory can be made");
        let (ca, certificate, key) = authority();
        let settings = SETTINGS.replace("DIRECTORY", &directory.display().to_string());
        for (name, text) in [
            ("ca.crt", &ca),
            ("server.crt", &certificate),
            ("server.key", &key),
            ("slapd.conf", &settings),
            ("people.ldif", &PEOPLE.to_owned()),
        ] {
            std::fs::write(directory.join(name), text).expect("a file can be written");
        }
        let (add, config) = (find("slapadd", "slapd"), directory.join("slapd.conf"));
        // The overlay sees nothing of what is added offline, so only the people are; groups come in over the wire.
        let (people, groups) = PEOPLE.split_once("dn: cn=builders").expect("there are groups");
        std::fs::write(directory.join("people.ldif"), people).expect("a file can be written");
        run(Command::new(add).arg("-f").arg(&config).arg("-l").arg(directory.join("people.ldif")));
        let slapd = Self { port: free_port(), tls_port: free_port(), process: Mutex::default(), guard };
        slapd.resume();
        slapd.tool("ldapadd", &format!("dn: cn=builders{groups}"));
        slapd
    }

    /// Starts the server again after [`Slapd::stop`].
    pub fn resume(&self) {
        let log = self.guard.directory().join("log");
        let urls = format!("{}/ {}/", self.url(), self.tls_url());
        let mut command = Command::new(find("slapd", "slapd"));
        command.args(["-d", "0", "-h", &urls, "-f"]).arg(self.guard.directory().join("slapd.conf"));
        let mut process = self.guard.spawn(&mut command, &log);
        wait_for("slapd", || {
            let ended = process.try_wait().expect("a child can be asked for");
            assert!(ended.is_none(), "slapd ended with {ended:?}\n{}", log_end(&log));
            TcpStream::connect(("127.0.0.1", self.port)).ok()?;
            TcpStream::connect(("127.0.0.1", self.tls_port)).ok()
        });
        *self.process.lock() = Some(process);
    }

    /// Ends the server.
    pub fn stop(&self) {
        if let Some(process) = self.process.lock().take() {
            self.guard.end(process, "TERM");
        }
    }

    /// Makes the server stand still: it takes connections and says nothing.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, signal: &str) {
        let process = self.process.lock();
        let pid = process.as_ref().expect("it runs").id().to_string();
        run(Command::new("kill").args(["-s", signal, &pid]));
    }

    /// Its address for LDAP without TLS, and with `StartTLS`.
    pub fn url(&self) -> String {
        format!("ldap://127.0.0.1:{}", self.port)
    }

    /// Its address for LDAPS.
    pub fn tls_url(&self) -> String {
        format!("ldaps://127.0.0.1:{}", self.tls_port)
    }

    /// The file with the certificate of its authority.
    pub fn ca_file(&self) -> PathBuf {
        self.guard.directory().join("ca.crt")
    }

    /// Changes entries, as `ldapmodify` reads them.
    pub fn modify(&self, ldif: &str) {
        self.tool("ldapmodify", ldif);
    }

    fn tool(&self, tool: &str, ldif: &str) {
        let mut child = Command::new(find(tool, "ldap-utils"))
            .args(["-x", "-H", &self.url(), "-D", "cn=admin,dc=example,dc=com", "-w", "admin-password"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a program that was found can be started");
        // Dropped at the end of the statement, which ends the input.
        child.stdin.take().expect("it is a pipe").write_all(ldif.as_bytes()).expect("it reads");
        let output = child.wait_with_output().expect("a child can be waited for");
        assert!(output.status.success(), "{tool}: {}", complaint(&output));
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.lock().take() {
            // An error means that it has ended already.
            let _ = process.kill();
            self.guard.wait(&mut process);
        }
    }
}
