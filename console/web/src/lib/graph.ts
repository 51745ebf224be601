// SPDX-License-Identifier: Apache-2.0
// The picture of who met whom: entities in layers from left to right, joined by what the evidence says.
import { tactics } from './attack'

// first is the time of the first event that names it, in milliseconds; 0 if nobody says.
export interface Node { id: string; type: string; name: string; first: number }
// tactics are those of the events that join the two, in the order of an attack.
export interface Edge { from: string; to: string; label: string; count: number; first: number; tactics: string[] }
export interface Graph { nodes: Node[]; edges: Edge[]; leftOut: number }

export interface PlacedNode extends Node { x: number; y: number; w: number; h: number }
export interface PlacedEdge extends Edge { path: string; x: number; y: number }
export interface Picture { nodes: PlacedNode[]; edges: PlacedEdge[]; width: number; height: number }

type Raw = Record<string, unknown>
const str = (v: unknown) => (typeof v === 'string' ? v : '')
const num = (v: unknown) => (typeof v === 'number' ? v : 0)
const time = (v: unknown) => Date.parse(str(v)) || 0

// moments are the times at which something new is in the picture, in order.
export const moments = (g: Graph) => [...new Set([...g.nodes, ...g.edges].map((x) => x.first))].sort((a, b) => a - b)

// graphOf reads the API's answer. Nodes are entities; an edge names its ends by id, or by type:name.
export function graphOf(v: unknown): Graph {
  const raw = (v ?? {}) as Raw
  const nodes = ((raw['nodes'] ?? []) as Raw[]).map((n) => {
    const e = (n['entity'] ?? n) as Raw
    const type = str(e['type'])
    const name = str(e['name'])
    return { id: str(n['id']) || `${type}:${name}`, type, name, first: time(n['first_event']) }
  })
  const known = new Set(nodes.map((n) => n.id))
  const end = (v: unknown) => (typeof v === 'object' && v !== null ? `${str((v as Raw)['type'])}:${str((v as Raw)['name'])}` : str(v))
  const edges = ((raw['edges'] ?? []) as Raw[]).map((e) => ({
    from: end(e['from'] ?? e['source']), to: end(e['to'] ?? e['target']),
    label: str(e['label']) || str(e['kind']) || [e['steps'] ?? []].flat().map(String).join(', '),
    count: num(e['count']) || num(e['events']), first: time(e['first_event']), tactics: tactics.filter((t) => ((e['tactics'] ?? []) as unknown[]).includes(t)),
  })).filter((e) => known.has(e.from) && known.has(e.to))
  return { nodes, edges, leftOut: num(raw['left_out']) || num(raw['omitted']) }
}

// hue is a tactic's colour, from the first of an attack to the last around the circle, less red to red.
export const hue = (tactic: string) => Math.round(((tactics as readonly string[]).indexOf(tactic) * 330) / tactics.length)

// legend has the tactics of what is joined by a moment, in the order of an attack.
export const legend = (g: Graph, until: number) => tactics.filter((t) => g.edges.some((e) => e.first <= until && e.tactics.includes(t)))

const nodeHeight = 36
const charWidth = 7.1
const longest = 26

// short keeps the end of a long name: it is what tells names apart.
export const short = (name: string) => (name.length > longest ? '…' + name.slice(1 - longest) : name)

type Dagre = typeof import('@dagrejs/dagre')

// draw places a graph in layers.
export function draw(dagre: Dagre, g: Graph): Picture {
  const d = new dagre.graphlib.Graph({ multigraph: true })
  d.setGraph({ rankdir: 'LR', nodesep: 14, ranksep: 90, marginx: 8, marginy: 8 })
  d.setDefaultEdgeLabel(() => ({}))
  for (const n of g.nodes) d.setNode(n.id, { width: Math.max(short(n.name).length * charWidth, n.type.length * 6.5) + 20, height: nodeHeight })
  g.edges.forEach((e, i) => d.setEdge(e.from, e.to, { width: Math.min(e.label.length, 18) * 6, height: 14, labelpos: 'c' }, String(i)))
  dagre.layout(d)
  const size = d.graph() as { width?: number; height?: number }
  return {
    width: size.width ?? 0,
    height: size.height ?? 0,
    nodes: g.nodes.map((n) => {
      const p = d.node(n.id)! as { x: number; y: number; width: number; height: number }
      return { ...n, x: p.x - p.width / 2, y: p.y - p.height / 2, w: p.width, h: p.height }
    }),
    edges: g.edges.map((e, i) => {
      const p = d.edge(e.from, e.to, String(i)) as { points: { x: number; y: number }[]; x?: number; y?: number }
      const path = p.points.map((q, j) => `${j ? 'L' : 'M'}${q.x.toFixed(1)} ${q.y.toFixed(1)}`).join('')
      const middle = p.points[Math.floor(p.points.length / 2)]!
      return { ...e, path, x: p.x ?? middle.x, y: p.y ?? middle.y }
    }),
  }
}
