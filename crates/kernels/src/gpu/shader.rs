//! WGSL sources: shared files pulled in by `#import "name"`; "gemm" is the file of a tiling.

use super::gemm::Tiling;
use super::launch::Shader;

/// Files of `src/wgsl/` by name.
const SHARED: [(&str, &str); 15] = [
    ("activation", include_str!("../wgsl/activation.wgsl")),
    ("attention", include_str!("../wgsl/attention.wgsl")),
    ("gemm_shared", include_str!("../wgsl/gemm_shared.wgsl")),
    ("gemm_subgroup", include_str!("../wgsl/gemm_subgroup.wgsl")),
    ("index", include_str!("../wgsl/index.wgsl")),
    ("lane", include_str!("../wgsl/lane.wgsl")),
    ("numeric", include_str!("../wgsl/numeric.wgsl")),
    ("random", include_str!("../wgsl/random.wgsl")),
    ("row_threads", include_str!("../wgsl/row_threads.wgsl")),
    ("sampling", include_str!("../wgsl/sampling.wgsl")),
    ("sigmoid", include_str!("../wgsl/sigmoid.wgsl")),
    ("softmax", include_str!("../wgsl/softmax.wgsl")),
    ("window", include_str!("../wgsl/window.wgsl")),
    ("words", include_str!("../wgsl/words.wgsl")),
    ("workgroup_rows", include_str!("../wgsl/workgroup_rows.wgsl")),
];

impl Shader {
    /// The whole source: each imported file once, before the first file that imports it.
    pub(crate) fn resolve(&self, tiling: Tiling) -> String {
        let mut resolved = String::new();
        append(self.source, tiling, &mut vec![], &mut resolved);
        resolved
    }
}

fn append<'s>(source: &'s str, tiling: Tiling, imported: &mut Vec<&'s str>, resolved: &mut String) {
    for name in source.lines().filter_map(import) {
        if !imported.contains(&name) {
            imported.push(name);
            append(shared(name, tiling), tiling, imported, resolved);
        }
    }
    for line in source.lines().filter(|line| import(line).is_none()) {
        resolved.push_str(line);
        resolved.push('\n');
    }
}

/// Name that a line imports.
fn import(line: &str) -> Option<&str> {
    line.strip_prefix("#import \"")?.strip_suffix('"')
}

fn shared(name: &str, tiling: Tiling) -> &'static str {
    let name = match (name, tiling) {
        ("gemm", Tiling::Shared) => "gemm_shared",
        ("gemm", Tiling::Subgroup(_)) => "gemm_subgroup",
        (name, _) => name,
    };
    let file = SHARED.iter().find(|(file, _)| *file == name);
    file.expect("the tests resolve every shader of the crate").1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_come_first_and_once() {
        let source = "#import \"sampling\"\n#import \"random\"\nfn main() {}\n";
        let resolved = Shader { name: "test", source }.resolve(Tiling::Shared);
        assert_eq!(resolved.matches("fn philox4x32").count(), 1);
        assert_eq!(resolved.matches("struct LaneState").count(), 1);
        let (random, main) = (resolved.find("fn philox4x32"), resolved.find("fn main"));
        assert!(random < main && !resolved.contains("#import"));
    }
}
