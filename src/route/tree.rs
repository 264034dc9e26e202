//! The exact paths and prefixes of all hosts, in radix trees.
//!
//! A lookup goes down once along the bytes of the path, to the deepest key that the path begins with, and from there up again over the
//! keys that are prefixes, longest first. It costs the depth of the tree, however many routes there are. The routers at hand (matchit)
//! name one winner for a path; here priority and predicates may call for any of the matching keys, so all of them are needed.
//!
//! All trees share four arrays: no allocation per vertex, and what belongs together lies together. They are built once from sorted
//! keys, level by level, with a list of what is left to do rather than by recursion, since its depth would be the operator's to choose.
//! The idea is from Morrison, "PATRICIA", 1968.

use super::rule::Ranked;

/// The trees.
#[derive(Debug, Default)]
pub(super) struct Forest {
    vertices: Vec<Vertex>,
    /// The first byte of each vertex's label, so that siblings are told apart within one cache line.
    first_bytes: Vec<u8>,
    labels: Vec<u8>,
    routes: Vec<Ranked>,
}

/// A tree.
#[derive(Debug, Clone, Copy)]
pub(super) struct Root(u32);

/// A list of routes, kept with those of the trees.
#[derive(Debug, Clone, Copy)]
pub(super) struct Listed(Span);

/// The routes that stand at one key, best first.
#[derive(Debug, Default)]
pub(super) struct Ends {
    /// Those for exactly this path.
    pub(super) exact: Vec<Ranked>,
    /// Those for all below it.
    pub(super) prefix: Vec<Ranked>,
}

/// The end of the way down for one path.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reached<'t> {
    forest: &'t Forest,
    path: &'t [u8],
    vertex: &'t Vertex,
}

/// Half a cache line.
#[derive(Debug)]
struct Vertex {
    /// Where the label starts; it is as long as this vertex is deeper than the one above.
    label: u32,
    /// Length of the whole key that ends here.
    depth: u32,
    children: Span,
    /// Where its routes start: first `exact` many for exactly this path, then `prefix` many for all below it.
    routes: u32,
    exact: u32,
    prefix: u32,
    /// The closest vertex above with a `prefix`, or [`NOWHERE`].
    up: u32,
}

/// Is no vertex's number.
const NOWHERE: u32 = u32::MAX;

#[derive(Debug, Clone, Copy, Default)]
struct Span {
    start: u32,
    length: u32,
}

type Keys<'k> = &'k [(&'k [u8], Ends)];

struct Unfilled<'k> {
    vertex: u32,
    keys: Keys<'k>,
    up: u32,
}

impl Forest {
    /// Adds a tree. The keys are sorted, and no two are equal.
    pub(super) fn plant(&mut self, keys: Keys<'_>) -> Root {
        let root = self.push(&[], 0);
        let mut unfilled = vec![Unfilled {
            vertex: root,
            keys,
            up: NOWHERE,
        }];
        while let Some(next) = unfilled.pop() {
            self.fill(next, &mut unfilled);
        }
        Root(root)
    }

    /// Keeps routes that stand at no key.
    pub(super) fn list(&mut self, routes: &[Ranked]) -> Listed {
        Listed(self.append(routes))
    }

    /// What was given to [`Forest::list`].
    pub(super) fn listed(&self, list: Listed) -> &[Ranked] {
        list.0.of(&self.routes)
    }

    /// Goes down from `root` as far as `path` leads.
    pub(super) fn reach<'t>(&'t self, root: Root, path: &'t str) -> Option<Reached<'t>> {
        let path = path.as_bytes();
        let mut vertex = self.vertices.get(root.0 as usize)?;
        while let Some(deeper) = self.child(vertex, path) {
            vertex = deeper;
        }
        Some(Reached {
            forest: self,
            path,
            vertex,
        })
    }

    fn child(&self, vertex: &Vertex, path: &[u8]) -> Option<&Vertex> {
        let rest = path.get(vertex.depth as usize..)?;
        let first = rest.first()?;
        let siblings = vertex.children.of(&self.first_bytes);
        let position = siblings.iter().position(|byte| byte == first)?;
        let child = vertex.children.of(&self.vertices).get(position)?;
        let label = Span {
            start: child.label,
            length: child.depth - vertex.depth,
        };
        rest.starts_with(label.of(&self.labels)).then_some(child)
    }

    fn fill<'k>(&mut self, next: Unfilled<'k>, unfilled: &mut Vec<Unfilled<'k>>) {
        let number = next.vertex as usize;
        let Some(depth) = self.vertices.get(number).map(|v| v.depth) else {
            return;
        };
        let nothing = Ends::default();
        let (ends, longer) = match next.keys {
            [(key, ends), longer @ ..] if key.len() == depth as usize => (ends, longer),
            all => (&nothing, all),
        };
        let exact = self.append(&ends.exact);
        let prefix = self.append(&ends.prefix);
        let up = match prefix.length {
            0 => next.up,
            _ => next.vertex,
        };
        let children = self.branch(depth as usize, longer, up, unfilled);
        if let Some(vertex) = self.vertices.get_mut(number) {
            vertex.routes = exact.start;
            vertex.exact = exact.length;
            vertex.prefix = prefix.length;
            vertex.children = children;
            vertex.up = next.up;
        }
    }

    /// One child for each byte that follows, side by side.
    fn branch<'k>(
        &mut self,
        depth: usize,
        keys: Keys<'k>,
        up: u32,
        unfilled: &mut Vec<Unfilled<'k>>,
    ) -> Span {
        let start = self.vertices.len();
        for group in keys.chunk_by(|(a, _), (b, _)| a.get(depth) == b.get(depth)) {
            if let [(first, _), ..] = group
                && let [.., (last, _)] = group
            {
                let common = common_length(first, last);
                let label = first.get(depth..common).unwrap_or_default();
                let vertex = self.push(label, common);
                unfilled.push(Unfilled {
                    vertex,
                    keys: group,
                    up,
                });
            }
        }
        Span::new(start, self.vertices.len())
    }

    fn push(&mut self, label: &[u8], depth: usize) -> u32 {
        self.first_bytes.push(label.first().copied().unwrap_or(0));
        self.vertices.push(Vertex {
            label: self.labels.len() as u32,
            depth: depth as u32,
            children: Span::default(),
            routes: 0,
            exact: 0,
            prefix: 0,
            up: NOWHERE,
        });
        self.labels.extend_from_slice(label);
        (self.vertices.len() - 1) as u32
    }

    fn append(&mut self, routes: &[Ranked]) -> Span {
        let start = self.routes.len();
        self.routes.extend_from_slice(routes);
        Span::new(start, self.routes.len())
    }
}

impl<'t> Reached<'t> {
    /// The routes for exactly the path.
    pub(super) fn exact(self) -> &'t [Ranked] {
        let whole = self.vertex.depth as usize == self.path.len();
        let exact = Span {
            start: self.vertex.routes,
            length: if whole { self.vertex.exact } else { 0 },
        };
        exact.of(&self.forest.routes)
    }

    /// The routes of each prefix that ends at a segment border of the path, the longest prefix first.
    pub(super) fn prefixes(self) -> impl Iterator<Item = &'t [Ranked]> {
        let above = move |vertex: &&'t Vertex| self.forest.vertices.get(vertex.up as usize);
        std::iter::successors(Some(self.vertex), above)
            .filter(move |vertex| matches!(self.path.get(vertex.depth as usize), None | Some(b'/')))
            .map(move |vertex| {
                let prefix = Span {
                    start: vertex.routes + vertex.exact,
                    length: vertex.prefix,
                };
                prefix.of(&self.forest.routes)
            })
    }
}

impl Span {
    /// Four billion entries do not fit into memory, let alone into a configuration file.
    fn new(start: usize, end: usize) -> Self {
        Self {
            start: start as u32,
            length: (end - start) as u32,
        }
    }

    fn of<T>(self, all: &[T]) -> &[T] {
        let start = self.start as usize;
        all.get(start..start + self.length as usize)
            .unwrap_or_default()
    }
}

fn common_length(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}
