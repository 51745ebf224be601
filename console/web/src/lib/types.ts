// SPDX-License-Identifier: Apache-2.0
// The nouns of the API, by the names that the console uses. They come from the OpenAPI document.
import type { components } from '../schema'

type S = components['schemas']
export type Incident = S['View']
export type Detection = S['DetectionView']
export type Evidence = S['EvidenceItem']
export type Entity = S['Entity']
export type Rule = S['RuleInfo']
export type RuleSource = S['RuleSource']
export type Source = S['SourceView']
export type Alert = S['AlertView']
export type Status = S['Status']
export type Act = S['AuditView']
export type Checkpoint = S['CheckpointView']
export type Quarantined = S['QuarantineView']
export type Released = S['Released']

// A page of a list; next_cursor is empty at its end.
export interface Page<T> { items: T[] | null; next_cursor: string }

export const severities = ['critical', 'high', 'medium', 'low', 'informational'] as const
export const verdicts = [
  { value: 'true_positive', key: 't', label: 'True positive', means: 'It happened, and it was an attack.' },
  { value: 'benign', key: 'b', label: 'Benign', means: 'It happened, and it was allowed.' },
  { value: 'false_positive', key: 'f', label: 'False positive', means: 'It did not happen: the rule is wrong.' },
] as const
export type Verdict = (typeof verdicts)[number]['value']

// words makes a word of the API one for people: in_progress is "in progress".
export const words = (s: string) => s.replaceAll('_', ' ').replaceAll('-', ' ')
