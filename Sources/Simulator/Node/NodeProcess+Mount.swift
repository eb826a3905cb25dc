import ClusterModel
import Coordinator

/// The watch over the mount; see `MountWatch`. While the mount was never disturbed there is nothing to probe.
extension NodeProcess {
    func probeSoon() {
        self.after(.milliseconds(self.lots.between(0, 1_000))) { [unowned self] in self.probe() }
    }

    private func probe() {
        let trouble = self.world.mount.trouble
        let had = self.board.mountTrouble
        // A probe that gets no answer is given up after 3 s.
        let took: Duration = trouble == nil ? .milliseconds(2) : .seconds(3)
        self.after(took) { [unowned self] in
            if self.board.knowledge != nil { self.board.mountTrouble = trouble }
            self.told(.measured(.mountProbed(took: took, trouble: trouble)))
            guard trouble != nil || had != nil else { return }
            self.after(.seconds(1)) { [unowned self] in self.probe() }
        }
    }
}
