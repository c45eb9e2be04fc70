// In the place of what nobody has told this front end yet: an empty bazaar looks
// different, and so does one whose newest state is merely old.

import type { ClusterPart } from "./model.ts";

/** `what` begins the sentence and is plural: "The stocks". */
export function NotKnown({ what, cluster }: { what: string; cluster: ClusterPart }) {
  return (
    <div class="empty" data-testid="not-known">
      {cluster.leader === null ? (
        <>
          <p>{what} are not known while no leader answers.</p>
          <p>They show by themselves when one does.</p>
        </>
      ) : (
        <p>{what} are being read …</p>
      )}
    </div>
  );
}
