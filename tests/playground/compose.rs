//! `deploy/compose.yaml` against the repository. Whether Compose itself takes the file is for those who have it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use event_normalizer::settings::Settings;
use yaml_rust2::{Yaml, YamlLoader};

use super::support::jars::KAFKA_VERSION;
use super::support::normalizer::program;
use super::support::registry::REGISTRY_VERSION;
use super::support::tool::command;
use super::{folder, root};

/// Where the image looks for its settings.
const SETTINGS: &str = "/etc/event-normalizer/event-normalizer.yaml";
/// The image that Compose builds.
const OWN_IMAGE: &str = "event-normalizer";
/// No test runs it, so any release will do.
const GRAFANA: &str = "grafana/grafana";

struct Compose(Yaml);

/// A file or folder of the repository, and where a container has it.
struct Mount {
    source: PathBuf,
    target: String,
}

impl Compose {
    fn of_the_repository() -> Result<Compose> {
        Compose::of(&text()?)
    }

    fn of(text: &str) -> Result<Compose> {
        Ok(Compose(YamlLoader::load_from_str(text)?.into_iter().next().context("compose.yaml is empty")?))
    }

    /// The services, by name.
    fn services(&self) -> Result<Vec<(&str, &Yaml)>> {
        let services = self.0["services"].as_hash().context("there are no services")?;
        services.iter().map(|(name, service)| Ok((name.as_str().context("a service has no name")?, service))).collect()
    }

    fn has_service(&self, name: &str) -> bool {
        !self.0["services"][name].is_badvalue()
    }

    fn mounts(&self) -> Result<Vec<Mount>> {
        let mut mounts = Vec::new();
        for (name, service) in self.services()? {
            for mount in service["volumes"].as_vec().into_iter().flatten() {
                let parts: Vec<&str> = mount.as_str().unwrap_or_default().split(':').collect();
                let [source, target, "ro"] = parts[..] else { bail!("{name}: expected a mount as ./SOURCE:TARGET:ro") };
                let source = source.strip_prefix("./").with_context(|| format!("{name}: {source} is not of this folder"))?;
                mounts.push(Mount { source: root().join("deploy").join(source), target: target.to_owned() });
            }
        }
        Ok(mounts)
    }

    /// The file that a container finds there.
    fn mounted_at(&self, target: &str) -> Result<PathBuf> {
        let found = self.mounts()?.into_iter().find(|mount| mount.target == target);
        Ok(found.with_context(|| format!("nothing is mounted at {target}"))?.source)
    }

    fn text(&self, service: &str, section: &str, key: &str) -> &str {
        self.0["services"][service][section][key].as_str().unwrap_or_default()
    }
}

fn text() -> Result<String> {
    fs::read_to_string(root().join("deploy/compose.yaml")).context("read deploy/compose.yaml")
}

fn load(path: &Path) -> Result<Yaml> {
    let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    YamlLoader::load_from_str(&text)?.into_iter().next().with_context(|| format!("{} is empty", path.display()))
}

/// The host of a URL, or of a host and port.
fn host(address: &str) -> &str {
    let address = address.split_once("://").map_or(address, |(_, rest)| rest);
    address.split([':', '/']).next().unwrap_or_default()
}

pub fn mounts_what_is_there() -> Result<()> {
    check_mounts(&Compose::of_the_repository()?)
}

fn check_mounts(compose: &Compose) -> Result<()> {
    let mounts = compose.mounts()?;
    ensure!(mounts.len() > 5, "the mounts were not found");
    for Mount { source, .. } in mounts {
        // Docker would make an empty folder of that name.
        ensure!(source.exists(), "{} is mounted and is not there", source.display());
    }
    let build = &compose.0["services"]["normalizer"]["build"];
    let [context, dockerfile] = ["context", "dockerfile"].map(|key| build[key].as_str().unwrap_or_default());
    let dockerfile = root().join("deploy").join(context).join(dockerfile);
    ensure!(dockerfile.is_file(), "{} is not there", dockerfile.display());
    Ok(())
}

pub fn runs_what_the_tests_run() -> Result<()> {
    check_images(&Compose::of_the_repository()?)
}

fn check_images(compose: &Compose) -> Result<()> {
    let prometheus = format!("v{}", prometheus_version()?);
    let tested = [
        ("apache/kafka", KAFKA_VERSION),
        ("apicurio/apicurio-registry", REGISTRY_VERSION),
        ("prom/prometheus", prometheus.as_str()),
    ];
    let mut seen = BTreeSet::new();
    for (name, service) in compose.services()? {
        let image = service["image"].as_str().with_context(|| format!("{name} has no image"))?;
        let (image, version) = image.split_once(':').unwrap_or((image, ""));
        match tested.iter().find(|(tested, _)| *tested == image) {
            Some((_, expected)) => {
                ensure!(version == *expected, "{name}: {image} is of version {version:?}, the tests' is {expected}");
                seen.insert(image);
            }
            None if image == GRAFANA => ensure!(version.contains('.'), "{name}: expected a release of {image}"),
            None => ensure!(image == OWN_IMAGE, "{name}: {image} is an image that no test knows"),
        }
    }
    ensure!(seen.len() == tested.len(), "not all that the tests run is there, only {seen:?}");
    Ok(())
}

/// The release whose promtool tests the rules. Its Go module is 0.308.0 where the release is 3.8.0.
fn prometheus_version() -> Result<String> {
    let module = fs::read_to_string(root().join("tests/monitoring/tools/go.mod"))?;
    let version = module.lines().find_map(|line| line.trim().strip_prefix("github.com/prometheus/prometheus v0."));
    let version = version.and_then(|rest| rest.split_whitespace().next()).context("go.mod names no Prometheus")?;
    let (release, patch) = version.split_once('.').context("a version has three parts")?;
    let (major, minor) = release.split_at_checked(1).context("a release has a major version")?;
    Ok(format!("{major}.{}.{patch}", minor.parse::<u32>()?))
}

pub fn the_program_takes_its_settings() -> Result<()> {
    let file = Compose::of_the_repository()?.mounted_at(SETTINGS)?;
    command(program()).args(["check", "--offline", "--settings"]).arg(file).run().map(drop)
}

pub fn connects_what_is_there() -> Result<()> {
    check_connections(&Compose::of_the_repository()?)
}

/// What one part calls another by, in all files that are mounted.
fn check_connections(compose: &Compose) -> Result<()> {
    for (name, service) in compose.services()? {
        for other in service["depends_on"].as_hash().into_iter().flatten().filter_map(|(other, _)| other.as_str()) {
            ensure!(compose.has_service(other), "{name} depends on {other}, which is no service");
        }
    }
    let settings = Settings::read(Some(&compose.mounted_at(SETTINGS)?))?;
    let brokers = settings.kafka.brokers.as_str();
    let listeners = compose.text("kafka", "environment", "KAFKA_ADVERTISED_LISTENERS");
    ensure!(listeners.split(',').any(|listener| listener.ends_with(&format!("://{brokers}"))), "no listener is {brokers}");
    for service in ["topics", "load"] {
        let script = compose.0["services"][service]["command"].as_vec().and_then(|words| words.last()?.as_str());
        let script = script.with_context(|| format!("{service} has no script"))?;
        ensure!(script.contains(&format!("--bootstrap-server {brokers} ")), "{service} calls other brokers than {brokers}");
        for source in &settings.sources {
            let is_told = script.split([' ', ';']).any(|word| word == source.vendor);
            ensure!(is_told && source.topic == format!("raw.{}", source.vendor), "{service}: nothing for {}", source.topic);
        }
    }
    let registry = settings.schema_registry.as_ref().context("the settings have no registry")?.url.as_str();

    let prometheus = load(&compose.mounted_at("/etc/prometheus/prometheus.yml")?)?;
    let rules = prometheus["rule_files"][0].as_str().context("Prometheus has no rules")?;
    ensure!(compose.mounted_at(rules)?.is_file(), "{rules} is no file");
    let target = prometheus["scrape_configs"][0]["static_configs"][0]["targets"][0].as_str().context("nothing is scraped")?;
    ensure!(target == format!("normalizer:{}", settings.admin.address.port()), "{target} is not the admin port");

    let provisioned = "/etc/grafana/provisioning";
    let sources = load(&compose.mounted_at(&format!("{provisioned}/datasources/data-sources.yaml"))?)?;
    let source = sources["datasources"][0]["url"].as_str().context("Grafana has no data source")?;
    let dashboards = load(&compose.mounted_at(&format!("{provisioned}/dashboards/dashboards.yaml"))?)?;
    let dashboards = dashboards["providers"][0]["options"]["path"].as_str().context("Grafana has no dashboards")?;
    let home = compose.text("grafana", "environment", "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH");
    let home = home.strip_prefix(dashboards).with_context(|| format!("{home} is not among the dashboards"))?;
    let home = compose.mounted_at(dashboards)?.join(home.trim_start_matches('/'));
    ensure!(home.is_file(), "{} is not there", home.display());

    for address in [brokers, registry, target, source] {
        ensure!(compose.has_service(host(address)), "{address} is no service");
    }
    let load_folder = compose.mounted_at("/playground")?;
    ensure!(load_folder.canonicalize()? == folder().canonicalize()?, "the load is not that of deploy/playground");
    Ok(())
}

/// Each check is worth nothing if it can't fail.
pub fn a_fault_is_found() -> Result<()> {
    type Check = fn(&Compose) -> Result<()>;
    let faults: [(&str, &str, Check); 8] = [
        ("./playground/prometheus.yaml", "./playground/prometheus.yml", check_mounts),
        ("dockerfile: deploy/Dockerfile", "dockerfile: Dockerfile", check_mounts),
        (":ro\"]", "\"]", check_mounts),
        (KAFKA_VERSION, "4.3.0", check_images),
        (REGISTRY_VERSION, "3.0.8", check_images),
        ("image: prom/prometheus", "image: prom/prometheus-dev", check_images),
        ("kafka: {condition", "broker: {condition", check_connections),
        ("INSIDE://kafka:19092", "INSIDE://kafka:9093", check_connections),
    ];
    let sound = text()?;
    for (before, after, check) in faults {
        ensure!(sound.contains(before), "compose.yaml has no {before}");
        let faulty = Compose::of(&sound.replace(before, after))?;
        ensure!(check(&faulty).is_err(), "{after} in place of {before} was not found");
    }
    Ok(())
}
