//! A control plane: etcd, API server, controllers and scheduler are real, the node and what runs on it are kwok's.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::kafka::tail;
use crate::support::leash::Leash;
use crate::support::node::free_ports;
use crate::support::wait::poll;
use crate::tools::{self, Tool, command};

const READY_WITHIN: Duration = Duration::from_secs(120);

/// Of the same version as the program `kwok`; without its stages nothing becomes ready.
const KWOK: &str = "sigs.k8s.io/kwok@v0.8.0";

/// What no fake node can do, or what it would wait for.
const CONTROLLERS: &str =
    "--controllers=*,-nodeipam,-nodelifecycle,-service-lb-controller,-node-route-controller,-cloud-node-lifecycle-controller";

/// Dropping it ends every process.
pub struct Cluster {
    folder: TempDir,
    processes: Vec<(Child, Leash)>,
}

impl Cluster {
    /// Starts the control plane with a node and the operators' kinds, and waits until it works.
    pub fn start() -> Result<Cluster> {
        let mut cluster = Cluster { folder: tempfile::tempdir()?, processes: Vec::new() };
        let [etcd, peer, api, controllers, scheduler] = free_ports()?;
        cluster.write_access(api)?;
        let (etcd, peer) = (format!("http://127.0.0.1:{etcd}"), format!("http://127.0.0.1:{peer}"));
        cluster.launch(
            "server",
            &[
                "--data-dir=etcd",
                "--unsafe-no-fsync",
                &format!("--listen-client-urls={etcd}"),
                &format!("--advertise-client-urls={etcd}"),
                &format!("--listen-peer-urls={peer}"),
                &format!("--initial-advertise-peer-urls={peer}"),
                &format!("--initial-cluster=default={peer}"),
            ],
        )?;
        cluster.launch(
            "kube-apiserver",
            &[
                &format!("--etcd-servers={etcd}"),
                "--bind-address=127.0.0.1",
                &format!("--secure-port={api}"),
                "--cert-dir=certificates",
                "--service-account-key-file=accounts.pub",
                "--service-account-signing-key-file=accounts.key",
                "--service-account-issuer=https://kubernetes.default.svc",
                "--token-auth-file=tokens.csv",
                "--authorization-mode=RBAC",
                "--service-cluster-ip-range=10.96.0.0/16",
                // The second one would keep the fake node tainted, and nothing would be scheduled.
                "--disable-admission-plugins=ServiceAccount,TaintNodesByCondition",
            ],
        )?;
        cluster.wait_until_it_answers()?;
        cluster.launch(
            "kube-controller-manager",
            &[
                "--kubeconfig=access.json",
                "--service-account-private-key-file=accounts.key",
                "--leader-elect=false",
                "--bind-address=127.0.0.1",
                &format!("--secure-port={controllers}"),
                "--cert-dir=certificates-of-controllers",
                CONTROLLERS,
            ],
        )?;
        cluster.launch(
            "kube-scheduler",
            &[
                "--kubeconfig=access.json",
                "--leader-elect=false",
                "--bind-address=127.0.0.1",
                &format!("--secure-port={scheduler}"),
                "--cert-dir=certificates-of-scheduler",
            ],
        )?;
        cluster.write_stages()?;
        cluster.launch("kwok", &["--kubeconfig=access.json", "--manage-all-nodes=true", "--config=stages.yaml"])?;
        cluster.add_node()?;
        let kinds = tools::schemas()?.join("crds");
        cluster.kubectl(&["apply", "--server-side", "--filename"])?.arg(kinds).run()?;
        cluster.kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"])?.run()?;
        Ok(cluster)
    }

    pub fn helm(&self, arguments: &[&str]) -> Result<Tool> {
        let mut helm = tools::helm(["--kubeconfig"])?;
        helm.arg(self.access()).args(arguments);
        Ok(helm)
    }

    pub fn kubectl(&self, arguments: &[&str]) -> Result<Tool> {
        let mut kubectl = command(tools::program("kubernetes", "kubectl")?);
        kubectl.arg("--kubeconfig").arg(self.access()).args(arguments);
        Ok(kubectl)
    }

    pub fn get(&self, kind: &str, namespace: &str, name: &str) -> Result<Value> {
        let object = self.kubectl(&["get", kind, name, "--namespace", namespace, "--output", "json"])?.run()?;
        Ok(serde_json::from_str(&object)?)
    }

    /// A namespace that lets in only pods that pass Pod Security `restricted`.
    pub fn create_namespace(&self, name: &str) -> Result<()> {
        let labels = json!({ "pod-security.kubernetes.io/enforce": "restricted" });
        self.apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}))
    }

    /// Lets the API server say whether it would take these objects.
    pub fn dry_run(&self, objects: &str) -> Result<()> {
        let file = self.folder.path().join("objects.yaml");
        fs::write(&file, objects)?;
        self.kubectl(&["apply", "--server-side", "--dry-run=server", "--filename"])?.arg(file).run().map(drop)
    }

    pub fn apply(&self, object: &Value) -> Result<()> {
        let file = self.folder.path().join("object.json");
        fs::write(&file, object.to_string())?;
        self.kubectl(&["apply", "--filename"])?.arg(file).run().map(drop)
    }

    fn add_node(&self) -> Result<()> {
        let room = json!({"cpu": "8", "memory": "32Gi", "pods": "110"});
        let labels = json!({"kubernetes.io/hostname": "node-1", "topology.kubernetes.io/zone": "zone-1"});
        self.apply(&json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": "node-1", "labels": labels},
            "status": {"capacity": room, "allocatable": room},
        }))
    }

    fn access(&self) -> PathBuf {
        self.folder.path().join("access.json")
    }

    /// A token that may do all, and the key that service accounts' tokens are signed with.
    fn write_access(&self, api: u16) -> Result<()> {
        let folder = self.folder.path();
        let accounts = rcgen::KeyPair::generate()?;
        fs::write(folder.join("accounts.key"), accounts.serialize_pem())?;
        fs::write(folder.join("accounts.pub"), accounts.public_key_pem())?;
        fs::write(folder.join("tokens.csv"), "token,admin,admin,system:masters\n")?;
        let cluster = json!({"server": format!("https://127.0.0.1:{api}"), "insecure-skip-tls-verify": true});
        let access = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "admin", "user": {"token": "token"}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
            "current-context": "test",
        });
        fs::write(self.access(), access.to_string())?;
        Ok(())
    }

    /// How kwok's nodes and pods live: initialized, ready, deleted.
    fn write_stages(&self) -> Result<()> {
        let stages = tools::module(KWOK)?.join("kustomize/stage");
        let mut texts = vec![
            fs::read_to_string(stages.join("node/fast/node-initialize.yaml"))?,
            fs::read_to_string(stages.join("node/heartbeat/node-heartbeat.yaml"))?,
        ];
        for entry in fs::read_dir(stages.join("pod/fast"))? {
            let path = entry?.path();
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("pod-")) {
                texts.push(fs::read_to_string(path)?);
            }
        }
        fs::write(self.folder.path().join("stages.yaml"), texts.join("\n---\n"))?;
        Ok(())
    }

    fn log(&self, program: &str) -> PathBuf {
        self.folder.path().join(format!("{program}.log"))
    }

    fn launch(&mut self, program: &str, arguments: &[&str]) -> Result<()> {
        let log = File::create(self.log(program))?;
        let process = Command::new(tools::program("kubernetes", program)?)
            .args(arguments)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("start {program}"))?;
        let leash = Leash::on_process(process.id(), &self.folder.path().to_string_lossy());
        self.processes.push((process, leash));
        Ok(())
    }

    fn wait_until_it_answers(&mut self) -> Result<()> {
        let answered = poll(READY_WITHIN, || {
            let has_ended = self.processes.iter_mut().any(|(process, _)| !matches!(process.try_wait(), Ok(None)));
            let answer = self.kubectl(&["get", "--raw", "/readyz"]).ok()?.run();
            (has_ended || answer.is_ok()).then_some(!has_ended)
        });
        if answered != Some(true) {
            let logs = ["server", "kube-apiserver"].map(|program| tail(&self.log(program), 20));
            bail!("the API server doesn't answer; the logs of etcd and its own end with:\n{}", logs.join("\n\n"));
        }
        Ok(())
    }
}

impl Drop for Cluster {
    /// The API server before etcd, without which it would wait.
    fn drop(&mut self) {
        for (process, _) in self.processes.iter_mut().rev() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
