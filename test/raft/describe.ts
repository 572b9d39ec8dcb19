/** How entries, messages, Readies and status read in the scripts. */
import {
  decodeMembership,
  type Entry,
  EntryKind,
  type Membership,
  type Message,
  type Ready,
  type SnapshotMetadata,
  type Status,
} from '../../raft/index.js';

const decoder = new TextDecoder();

export function describeMembership({ members, removed }: Membership): string {
  const ids = (learner: boolean) =>
    members
      .filter((member) => member.learner === learner)
      .map((member) => member.id)
      .join(',');
  let text = `voters=(${ids(false)})`;
  if (ids(true) !== '') text += ` learners=(${ids(true)})`;
  if (removed.length > 0) text += ` removed=(${removed.join(',')})`;
  return text;
}

export function describeEntry(entry: Entry): string {
  const place = `${entry.index}/${entry.term}`;
  if (entry.kind === EntryKind.noop) return `${place} noop`;
  if (entry.kind === EntryKind.membership)
    return `${place} ${describeMembership(decodeMembership(entry.payload))}`;
  return `${place} "${decoder.decode(entry.payload)}"`;
}

export function describeEntries(entries: readonly Entry[]): string {
  return `[${entries.map(describeEntry).join(', ')}]`;
}

export function describeSnapshot({ index, term, membership }: SnapshotMetadata): string {
  return `${index}/${term} ${describeMembership(membership)}`;
}

export function describeMessage(message: Message): string {
  const head = `${message.from}->${message.to} ${message.type} term ${message.term}`;
  switch (message.type) {
    case 'preVote':
      return `${head} log ${message.lastIndex}/${message.lastTerm}`;
    case 'vote':
      return `${head} log ${message.lastIndex}/${message.lastTerm}${message.transfer ? ' transfer' : ''}`;
    case 'preVoteResponse':
    case 'voteResponse':
      return `${head} ${message.granted ? 'granted' : 'refused'}`;
    case 'append':
      return `${head} after ${message.previousIndex}/${message.previousTerm} commit ${message.commit} ${describeEntries(message.entries)}`;
    case 'appendResponse':
      return message.rejected
        ? `${head} rejected ${message.index} hint ${message.hintIndex}/${message.hintTerm}`
        : `${head} holds ${message.index}`;
    case 'heartbeat':
      return `${head} commit ${message.commit} round ${message.round}`;
    case 'heartbeatResponse':
      return `${head} round ${message.round}`;
    case 'commit':
      return `${head} commit ${message.commit}`;
    case 'snapshot':
      return `${head} ${describeSnapshot(message.snapshot)}`;
    case 'timeoutNow':
      return head;
    case 'readIndex':
      return `${head} context ${message.context}`;
    case 'readIndexResponse':
      return `${head} context ${message.context} index ${message.index}`;
  }
}

/** One line for each duty; what is absent has none. */
export function describeReady(ready: Ready): string[] {
  const lines: string[] = [];
  const { softState, hardState, snapshot, entries, committed, readStates, readsDropped } = ready;
  if (softState !== undefined) {
    const leader = softState.leader === 0 ? 'nobody' : softState.leader;
    lines.push(`${softState.role} in term ${softState.term}, leader ${leader}`);
  }
  if (hardState !== undefined) {
    lines.push(`hard state term ${hardState.term} vote ${hardState.vote} commit ${hardState.commit}`);
  }
  if (snapshot !== undefined) lines.push(`install ${describeSnapshot(snapshot)}`);
  if (entries.length > 0) lines.push(`write ${describeEntries(entries)}`);
  for (const message of ready.messages) lines.push(`send ${describeMessage(message)}`);
  for (const message of ready.messagesAfterPersist) lines.push(`after persist ${describeMessage(message)}`);
  if (committed.length > 0) lines.push(`apply ${describeEntries(committed)}`);
  for (const { context, index } of readStates) lines.push(`read ${context} at ${index}`);
  if (readsDropped.length > 0) lines.push(`reads dropped ${readsDropped.join(' ')}`);
  return lines;
}

/** The status in one line, and one for each peer of a leader. */
export function describeStatus(status: Status): string[] {
  const { id, role, term, vote, leader, commit, applied, firstIndex, lastIndex } = status;
  const lines = [
    `${id}: ${role} term ${term} vote ${vote} leader ${leader} commit ${commit} applied ${applied} log ${firstIndex}..${lastIndex}` +
      ` ${describeMembership(status.membership)}${status.transferTarget === 0 ? '' : ` transferring to ${status.transferTarget}`}` +
      `${status.logLost ? ' log lost' : ''}`,
  ];
  for (const peer of status.peers) {
    lines.push(
      `  ${peer.id}: ${peer.state} match ${peer.match} next ${peer.next}${peer.learner ? ' learner' : ''}` +
        `${peer.inflightBytes > 0 ? ` in flight ${peer.inflightBytes}` : ''}` +
        `${peer.recentActive ? '' : ' inactive'}${peer.logLost ? ' log lost' : ''}`,
    );
  }
  return lines;
}
